"""What becomes of the parts when `up` itself is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from changecast.up.lock import LEASH_S

PARENT = """
import asyncio, sys
from pathlib import Path
from changecast.up.children import process_part
from changecast.up.supervisor import Supervisor

CHILD = "from changecast.leash import end_with_parent; end_with_parent(grace=3); import signal, time\\n{reaction}\\ntime.sleep(60)"

async def main():
    supervisor = Supervisor(print)
    for name in ("sinks", "streams"):
        await supervisor.start(process_part(name, [sys.executable, "-c", CHILD], Path({folder!r}) / f"{{name}}.log", grace=3))
    print(*supervisor.processes.values(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def end_of_parts(folder: Path, reaction: str) -> float:
    """Seconds from the kill -9 of the parent to the end of its last part."""
    code = PARENT.format(folder=str(folder), reaction=reaction)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        os.kill(parent.pid, signal.SIGKILL)
    began = time.monotonic()
    try:
        psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=LEASH_S)
        took = time.monotonic() - began
        assert not any(psutil.pid_exists(pid) for pid in pids)
    finally:
        for pid in pids:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)
    return took


def test_parts_end_at_once_when_up_is_killed(tmp_path: Path) -> None:
    assert end_of_parts(tmp_path, reaction="") < 5


def test_a_part_that_ignores_signals_ends_too(tmp_path: Path) -> None:
    assert end_of_parts(tmp_path, reaction="signal.signal(signal.SIGTERM, signal.SIG_IGN)") < LEASH_S

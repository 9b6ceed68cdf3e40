"""What becomes of the parts when `up` itself is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from changecast.leash import _WORKER_GRACE
from changecast.up.lock import LEASH_S
from tests.eventually import eventually

PARENT = """
import asyncio, sys
from pathlib import Path
from changecast.up.children import process_part
from changecast.up.supervisor import Supervisor

CHILD = "from changecast.leash import end_with_parent; end_with_parent(grace={grace}); import signal, time\\n{reaction}\\ntime.sleep(60)"

async def main():
    supervisor = Supervisor(print)
    for name in ("sinks", "streams"):
        await supervisor.start(process_part(name, [sys.executable, "-c", CHILD], Path({folder!r}) / f"{{name}}.log", grace=3))
    print(*supervisor.processes.values(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def end_of_parts(folder: Path, reaction: str, grace: float) -> None:
    """Kill the parent with -9 and return when its parts have ended."""
    code = PARENT.format(folder=str(folder), reaction=reaction, grace=grace)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        os.kill(parent.pid, signal.SIGKILL)
    try:
        eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    finally:
        for pid in pids:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)


def test_parts_end_at_once_when_up_is_killed(tmp_path: Path) -> None:
    end_of_parts(tmp_path, reaction="", grace=1_000)


def test_a_part_that_ignores_signals_ends_when_its_grace_time_is_over(tmp_path: Path) -> None:
    end_of_parts(tmp_path, reaction="signal.signal(signal.SIGTERM, signal.SIG_IGN)", grace=1)


def test_a_start_waits_for_the_parts_of_a_killed_run_until_their_grace_time_is_over() -> None:
    assert _WORKER_GRACE < LEASH_S

"""The supervisor with real processes: small Python programs that say what happens to them in a file."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from changecast.up.children import Part, process_part
from changecast.up.supervisor import Ended, Notice, PartFailed, Supervisor
from tests.eventually import until

POLITE = """
import signal, sys, time
def end(*_):
    open({journal!r}, "a").write({name!r} + " stops\\n"); sys.exit(0)
signal.signal(signal.SIGTERM, end)
open({journal!r}, "a").write({name!r} + " runs\\n")
while True: time.sleep(0.05)
"""
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
helper = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"])
open({journal!r}, "a").write(f"helper {{helper.pid}}\\n")
while True: time.sleep(0.05)
"""

NEVER_S = 1_000.0
"""A time that no test waits for: what ends before has not waited for it."""


class Stage:
    """A supervisor with what it said, and parts that write into one journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.notices: list[Notice] = []
        self.supervisor = Supervisor(self.notices.append)

    def part(self, name: str, code: str = POLITE, grace: float = 3, **options: object) -> Part:
        filled = code.format(journal=str(self.journal), name=name)
        return process_part(name, [sys.executable, "-c", filled], self.log(name), grace=grace, **options)  # type: ignore[arg-type]

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def said(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    @property
    def ends(self) -> list[Ended]:
        return [notice for notice in self.notices if isinstance(notice, Ended)]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.supervisor.kill()
    await until(lambda: not any(psutil.pid_exists(pid) and is_running(pid) for pid in stage.supervisor.processes.values()))


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def says(stage: Stage, line: str) -> Callable[[], Awaitable[bool]]:
    async def said() -> bool:
        return line in stage.said()

    return said


async def test_parts_start_in_order_and_stop_in_the_opposite_one(stage: Stage) -> None:
    for name in ("kafka", "sinks", "streams"):
        await stage.supervisor.start(stage.part(name, ready=says(stage, f"{name} runs")))

    stopped: list[str] = []
    await stage.supervisor.stop(10, stopped.append)

    assert stopped == ["streams", "sinks", "kafka"]
    assert stage.said() == [
        *("kafka runs", "sinks runs", "streams runs"),
        *("streams stops", "sinks stops", "kafka stops"),
    ]
    assert stage.notices == []


async def test_a_part_that_was_halted_and_started_anew_is_kept_as_before_and_in_its_place(stage: Stage) -> None:
    for name in ("kafka", "sinks", "streams"):
        await stage.supervisor.start(stage.part(name, ready=says(stage, f"{name} runs")))
    first = dict(stage.supervisor.processes)

    await stage.supervisor.halt("sinks", 3)
    assert "sinks" not in stage.supervisor.processes
    await stage.supervisor.start(stage.part("sinks"))
    second = dict(stage.supervisor.processes)

    assert {name for name in first if first[name] != second[name]} == {"sinks"}
    os.kill(second["sinks"], signal.SIGKILL)
    await until(lambda: stage.said().count("sinks runs") == 3)
    assert [end.part for end in stage.ends] == ["sinks"], "the halt was no end to be told"
    stopped: list[str] = []
    await stage.supervisor.stop(10, stopped.append)
    assert stopped == ["streams", "sinks", "kafka"]


async def test_a_halted_part_that_ignores_the_request_is_killed_after_its_grace(stage: Stage) -> None:
    await stage.supervisor.start(stage.part("streams", STUBBORN))
    await until(lambda: bool(stage.said()))
    pid = stage.supervisor.processes["streams"]

    async with asyncio.timeout(5):
        await stage.supervisor.halt("streams", 0.5)

    assert not is_running(pid)


async def test_a_part_that_is_killed_is_started_again(stage: Stage) -> None:
    await stage.supervisor.start(stage.part("streams", ready=says(stage, "streams runs")))
    first = stage.supervisor.processes["streams"]

    os.kill(first, signal.SIGKILL)
    await until(lambda: stage.said().count("streams runs") == 2)

    assert stage.supervisor.processes["streams"] != first
    assert stage.ends == [Ended("streams", "killed by signal 9", None, 0.5)]


async def test_the_end_of_a_part_is_told_with_the_last_error_of_its_log(stage: Stage) -> None:
    line = "2025-01-21T04:46:31.250Z ERROR streams.app: the batch was refused"
    code = f"import sys, time; print({line!r}, file=sys.stderr); time.sleep(0.5); print('bye'); sys.exit(70)"
    await stage.supervisor.start(stage.part("streams", code))

    await until(lambda: len(stage.ends) == 1)

    assert stage.ends[0] == Ended("streams", "exit code 70", "the batch was refused", 0.5)


async def test_a_part_that_ends_again_and_again_waits_longer_each_time(stage: Stage) -> None:
    await stage.supervisor.start(stage.part("sinks", "import time; time.sleep(0.4)"))

    await until(lambda: len(stage.ends) == 3)

    assert [end.delay for end in stage.ends] == [0.5, 1, 2]


async def test_a_part_that_never_gets_ready_is_given_up_with_its_reason(stage: Stage) -> None:
    async def never() -> bool:
        return False

    with pytest.raises(PartFailed, match="no room in the fridge") as failure:
        await stage.supervisor.start(stage.part("sandbox", "raise SystemExit('no room in the fridge')", ready=never))

    assert "ends as soon as it is started" in str(failure.value)
    assert str(stage.log("sandbox")) in str(failure.value)


async def test_a_part_that_takes_too_long_is_given_up(stage: Stage) -> None:
    async def never() -> bool:
        return False

    with pytest.raises(PartFailed, match="not ready after"):
        await stage.supervisor.start(stage.part("sandbox", ready=never, start_timeout=0.5))


async def test_a_command_that_does_not_exist_is_told(stage: Stage) -> None:
    part = process_part("sinks", ["/nowhere/changecast"], stage.log("sinks"), grace=1)

    with pytest.raises(PartFailed, match=r"sinks could not be started.*nowhere"):
        await stage.supervisor.start(part)


async def test_exit_code_78_ends_everything_with_that_code(stage: Stage) -> None:
    code = "import sys, time; time.sleep(0.5); print('changecast.yaml:3:1: unknown key'); sys.exit(78)"
    await stage.supervisor.start(stage.part("sinks", code))

    async with asyncio.timeout(10):
        failure = await stage.supervisor.gave_up()

    assert failure.code == 78
    assert "changecast.yaml:3:1: unknown key" in str(failure)
    assert stage.ends == []


async def test_a_part_that_ignores_the_request_to_stop_is_killed_with_its_children(stage: Stage) -> None:
    await stage.supervisor.start(stage.part("streams", STUBBORN, grace=0.5))
    await until(lambda: bool(stage.said()))
    part, helper = stage.supervisor.processes["streams"], int(stage.said()[0].split()[1])

    await stage.supervisor.stop(NEVER_S)

    await until(lambda: not is_running(part) and not is_running(helper))


async def test_stopping_many_stubborn_parts_takes_no_longer_than_allowed(stage: Stage) -> None:
    for name in ("kafka", "sinks", "streams", "producers"):
        await stage.supervisor.start(stage.part(name, STUBBORN, grace=NEVER_S))

    await stage.supervisor.stop(within=2)

    assert stage.supervisor.processes == {}


async def test_a_part_that_waits_to_be_started_again_can_be_stopped(stage: Stage) -> None:
    await stage.supervisor.start(stage.part("sinks", "import time; time.sleep(0.4)"))
    await until(lambda: len(stage.ends) == 2)

    await stage.supervisor.stop(NEVER_S)

    assert stage.supervisor.processes == {}


async def test_the_terminals_ctrl_c_does_not_reach_the_parts(stage: Stage) -> None:
    await stage.supervisor.start(stage.part("streams", ready=says(stage, "streams runs")))

    assert os.getpgid(stage.supervisor.processes["streams"]) != os.getpgid(0)

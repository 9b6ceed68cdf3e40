"""Real processes: a parent that is killed, its leash, and what hangs on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from changecast.leash import LEASH_VARIABLE, leashed
from tests.eventually import eventually

# Writes its pid to a file, and then waits; "stubborn" ignores SIGTERM.
CHILD = """
import os, pathlib, signal, sys, time
target, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
if kind == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if kind == "polite":
    signal.signal(signal.SIGTERM, lambda *_: (target.with_suffix(".goodbye").touch(), sys.exit(7)))
if kind == "parent":
    import subprocess
    subprocess.Popen([sys.executable, __file__, str(target.with_suffix(".grandchild")), "stubborn"])
draft = target.with_suffix(".draft" + kind)
draft.write_text(str(os.getpid()))
draft.rename(target)
time.sleep(60)
"""


class Script:
    """The child as a command, and its pid once it runs."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.source = folder / "child.py"
        self.source.write_text(CHILD)
        self.pid_file = folder / "pid"
        self.command = [sys.executable, str(self.source), str(self.pid_file), kind]

    @property
    def pid(self) -> int:
        return pid_in(self.pid_file)


def pid_in(path: Path) -> int:
    eventually(path.exists, what=f"{path} written")
    return int(path.read_text())


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        if process.stdin:
            process.stdin.close()
        process.wait()


def test_kill_9_of_the_parent_ends_the_child(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    child = Script(tmp_path, "plain")
    parent_source = f"""
        import subprocess, time
        from changecast.leash import leashed
        process = subprocess.Popen(leashed({child.command!r}, grace=1_000), stdin=subprocess.PIPE, start_new_session=True)
        time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(parent_source)])
    started.append(parent)
    pid = child.pid
    assert runs(pid)

    parent.kill()

    eventually(lambda: not runs(pid))  # by SIGTERM: the grace time is not over yet


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace_time(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    child = Script(tmp_path, "stubborn")
    leash = subprocess.Popen(leashed(child.command, grace=0.5), stdin=subprocess.PIPE)
    started.append(leash)
    pid = child.pid
    assert leash.stdin is not None

    began = time.monotonic()
    leash.stdin.close()

    eventually(lambda: not runs(pid))
    assert time.monotonic() - began >= 0.5
    assert leash.wait(60) == 128 + signal.SIGKILL


def test_what_the_child_leaves_behind_ends_too(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    child = Script(tmp_path, "parent")
    leash = subprocess.Popen(leashed(child.command, grace=0.5), stdin=subprocess.PIPE)
    started.append(leash)
    grandchild = pid_in(child.pid_file.with_suffix(".grandchild"))
    assert leash.stdin is not None

    leash.stdin.close()

    eventually(lambda: not runs(grandchild))


def test_sigterm_is_handed_on_and_the_childs_exit_code_comes_back(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    child = Script(tmp_path, "polite")
    leash = subprocess.Popen(leashed(child.command), stdin=subprocess.PIPE)
    started.append(leash)
    assert runs(child.pid)

    leash.terminate()

    assert leash.wait(60) == 7
    assert child.pid_file.with_suffix(".goodbye").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_kill_9_of_the_leash_itself_ends_the_child(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    child = Script(tmp_path, "plain")
    leash = subprocess.Popen(leashed(child.command), stdin=subprocess.PIPE)
    started.append(leash)
    pid = child.pid

    leash.kill()

    eventually(lambda: not runs(pid))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["/bin/sh", "-c", "exit 3"], 3),
        (["/bin/sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL),
        (["/no/such/program"], 127),
    ],
)
def test_the_exit_code_is_the_childs(command: list[str], code: int) -> None:
    with subprocess.Popen(leashed(command), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as leash:
        assert leash.wait(60) == code


def test_a_wrong_call_shows_the_usage() -> None:
    run = subprocess.run([sys.executable, "-m", "changecast.leash", "sleep", "1"], capture_output=True, check=False)
    assert run.returncode == 2
    assert b"usage:" in run.stderr


WORKER = """
import pathlib, signal, sys, time
from changecast.leash import end_with_parent
target = pathlib.Path(sys.argv[1])
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, lambda *_: None)
else:
    signal.signal(signal.SIGTERM, lambda *_: (target.with_suffix(".goodbye").touch(), sys.exit(0)))
end_with_parent(grace=0.5)
target.touch()
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize(("kind", "code"), [("polite", 0), ("stubborn", 1)])
def test_a_python_worker_ends_when_its_parents_pipe_closes(tmp_path: Path, kind: str, code: int) -> None:
    ready = tmp_path / "ready"
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(ready), kind],
        stdin=subprocess.PIPE,
        env={**os.environ, LEASH_VARIABLE: "1"},
    )
    eventually(ready.exists)
    assert worker.stdin is not None

    worker.stdin.close()

    assert worker.wait(60) == code
    assert ready.with_suffix(".goodbye").exists() == (kind == "polite")


def test_a_worker_that_nobody_leashed_does_not_read_its_stdin() -> None:
    source = "from changecast.leash import end_with_parent; end_with_parent(); print(input())"
    run = subprocess.run([sys.executable, "-c", source], input=b"typed\n", capture_output=True, check=True, timeout=20)
    assert run.stdout == b"typed\n"

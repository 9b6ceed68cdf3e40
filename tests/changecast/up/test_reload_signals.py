"""What SIGHUP means, with real terminals: a program in a session of its own, whose terminal the test holds the other end of."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually

PROGRAM = """
import asyncio, sys
from pathlib import Path
from changecast.up.reload_signals import ReloadSignals

async def main():
    said = Path(sys.argv[1]).open("a", buffering=1)
    stop = asyncio.Event()
    def hangup():
        print("hung up", file=said)
        stop.set()
    ReloadSignals(lambda: print("reload", file=said), hangup)
    print("ready", file=said)
    await stop.wait()

asyncio.run(main())
"""
SHELL = "trap 'kill -HUP $child; wait $child' HUP; {command} & child=$!; wait $child; wait $child"
"""As shells do: when their terminal hangs up, they pass that on to what runs in the background."""


class Program:
    """The program, in a terminal or not, and what it says."""

    def __init__(self, folder: Path) -> None:
        self._said = folder / "said"
        (folder / "program.py").write_text(PROGRAM)
        self.command = f"{sys.executable} {folder / 'program.py'} {self._said}"
        self.pid = 0
        self.terminal: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run_in_terminal(self, script: str = "exec {command}") -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            # whoever runs the tests may mind no hang-up, and what it starts would mind none either
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.execvp("sh", ["sh", "-c", script.format(command=self.command)])
        eventually(lambda: "ready" in self.said)

    def run_without_terminal(self) -> None:
        self._process = subprocess.Popen(self.command.split(), start_new_session=True)
        self.pid = self._process.pid
        eventually(lambda: "ready" in self.said)

    def hang_up(self) -> None:
        assert self.terminal is not None
        os.close(self.terminal)
        self.terminal = None

    @property
    def said(self) -> list[str]:
        return self._said.read_text().split("\n")[:-1] if self._said.exists() else []

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        elif self.pid:
            # the whole session: a shell and what it has started
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.terminal is not None:
            os.close(self.terminal)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    yield program
    program.end()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_while_the_terminal_is_there_is_a_reload(program: Program, number: signal.Signals) -> None:
    program.run_in_terminal()

    for count in (1, 2):
        os.kill(program.pid, number)
        eventually(lambda count=count: program.said.count("reload") == count)  # type: ignore[misc]

    assert "hung up" not in program.said


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_what_never_had_a_terminal_is_a_reload(program: Program, number: signal.Signals) -> None:
    program.run_without_terminal()

    os.kill(program.pid, number)

    eventually(lambda: program.said == ["ready", "reload"])


def test_the_end_of_the_terminal_is_no_reload(program: Program) -> None:
    program.run_in_terminal()

    program.hang_up()

    eventually(lambda: program.said == ["ready", "hung up"])


def test_a_shell_that_passes_the_end_of_its_terminal_on_is_no_reload_either(program: Program) -> None:
    program.run_in_terminal(SHELL)

    program.hang_up()

    eventually(lambda: program.said == ["ready", "hung up"])


def test_nohup_is_minded_and_a_reload_works_after_the_end_of_the_terminal_too(program: Program) -> None:
    program.run_in_terminal("exec nohup {command} > /dev/null 2>&1 < /dev/null")

    program.hang_up()
    eventually(lambda: program.said == ["ready", "reload"])  # the file is read in vain, and nothing ends
    os.kill(program.pid, signal.SIGHUP)

    eventually(lambda: program.said == ["ready", "reload", "reload"])

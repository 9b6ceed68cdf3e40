"""One part as a process: its own process group, a leash for a stdin, and a file for what it says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from changecast.leash import LEASH_VARIABLE
from changecast.up.handover import HANDED_VARIABLE, hand_over
from schemas.config import Source


@dataclass(frozen=True)
class Exit:
    """How a process ended. `code` as Popen gives it, None where that can't be known; `reason` where more is known than its log's
    last error."""

    code: int | None
    reason: str | None = None


class Process(Protocol):
    """A part that runs, whatever starts it."""

    pid: int

    async def wait(self) -> Exit: ...

    async def stop(self, grace: float) -> None:
        """Ask it to end, and after `grace` seconds end it."""

    def kill(self) -> None:
        """End it at once, with all that it started."""


@dataclass(frozen=True)
class Part:
    """What is to run. `start` makes the process; `ready` is asked now and then until it says yes.

    `grace`: seconds that it may take to end; `start_timeout`: seconds that it may take to be ready."""

    name: str
    start: Callable[[], Awaitable[Process]]
    log: Path
    grace: float
    ready: Callable[[], Awaitable[bool]] | None = None
    start_timeout: float = 60.0


class Child:
    """A child process in a session of its own: the terminal's Ctrl-C and hang-up reach only its parent, who decides."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(
        cls, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, config: Source | None = None
    ) -> Child:
        """Run `command`, told by `LEASH_VARIABLE` that its stdin is a leash, and handed `config`. OSError when it can't be run."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output, _handing(config) as handed:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **(environment or {}), **handed, LEASH_VARIABLE: "1"},
                pass_fds=[int(descriptor) for descriptor in handed.values()],
            )
        return cls(process)

    async def wait(self) -> Exit:
        return Exit(await self._process.wait())

    async def stop(self, grace: float) -> None:
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(grace):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        # only while the leader is not reaped is its number certainly the group's
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


@contextlib.contextmanager
def _handing(config: Source | None) -> Iterator[dict[str, str]]:
    """What a child's environment is to say of the open file that holds its config, if it is to have one."""
    if config is None:
        yield {}
        return
    descriptor = hand_over(config)
    try:
        yield {HANDED_VARIABLE: str(descriptor)}
    finally:
        os.close(descriptor)


def process_part(
    name: str,
    command: Sequence[str],
    log: Path,
    *,
    grace: float,
    environment: Mapping[str, str] | None = None,
    config: Source | None = None,
    ready: Callable[[], Awaitable[bool]] | None = None,
    start_timeout: float = 60.0,
) -> Part:
    """A part that is a command line. Each start of it is handed the same `config`, whatever has become of the file meanwhile."""

    async def start() -> Process:
        return await Child.start(command, log, environment, config)

    return Part(name, start, log, grace, ready, start_timeout)


def own_command(*arguments: str) -> list[str]:
    """The command line of a `changecast` command in the same Python, which -P keeps from importing what lies in the
    working directory."""
    return [sys.executable, "-P", "-m", "changecast", *arguments]

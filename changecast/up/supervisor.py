"""Keeps the parts running: starts them in order, starts again what ends, and stops them in the opposite order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from changecast.up.children import Part, Process
from changecast.up.logtail import last_error, text_since
from changecast.up.restart import GiveUp, after_exit, exit_words

_READY_POLL_S = 0.1
_ENOUGH_FAILURES = 3
"""A part that ended so often before it was ready once won't get there: say so, instead of trying until the time-out."""
_STEADY_S = 0.3
"""A process that can't be run at all ends within this."""


class PartFailed(Exception):
    """A part can't be started. `code` is the exit code that the program should end with."""

    def __init__(self, part: str, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.part = part
        self.code = code


@dataclass(frozen=True)
class Ended:
    """A part ended by itself and is started again in `delay` seconds. `reason` is the last error in its log."""

    part: str
    how: str
    reason: str | None
    delay: float


@dataclass(frozen=True)
class StartedAgain:
    part: str


Notice = Ended | StartedAgain


@dataclass
class _Kept:
    """A part and its present process: None while it waits to be started again. `log_start` is where the log of this process
    begins; `failures` counts ends in a row."""

    part: Part
    process: Process | None
    log_start: int
    began: float
    failures: int = 0
    task: asyncio.Task[None] | None = None


class Supervisor:
    """Owns the parts that were started. `notify` hears of every end and restart; `gave_up` of an end that is final."""

    def __init__(self, notify: Callable[[Notice], None]) -> None:
        self._notify = notify
        self._kept: list[_Kept] = []
        self._gave_up: asyncio.Future[PartFailed] = asyncio.get_running_loop().create_future()

    @property
    def processes(self) -> dict[str, int]:
        """The process ids of the parts that run."""
        return {kept.part.name: kept.process.pid for kept in self._kept if kept.process is not None}

    async def start(self, part: Part) -> None:
        """Start a part, keep it running from here on, and return when it is ready. One that was halted has its place again.

        Raises PartFailed when it can't be; it and those started before are left for `stop`."""
        kept = _Kept(part, None, _size(part), time.monotonic())
        names = [other.part.name for other in self._kept]
        if part.name in names:
            self._kept[names.index(part.name)] = kept
        else:
            self._kept.append(kept)
        try:
            kept.process = await part.start()
        except OSError as error:
            raise PartFailed(part.name, f"{part.name} could not be started: {error}") from error
        kept.task = asyncio.create_task(self._keep(kept, kept.process), name=f"keep {part.name}")
        kept.task.add_done_callback(self._pass_on_error)
        await self._until_ready(kept)

    async def halt(self, name: str, grace: float) -> None:
        """Stop a part, within `grace` seconds, and leave it so until it is started again. Its place in the order stays."""
        for kept in self._kept:
            if kept.part.name == name:
                await _end_task(kept.task)
                if kept.process is not None:
                    await kept.process.stop(grace)
                    kept.process = None

    async def gave_up(self) -> PartFailed:
        """Wait for an end that starting again can't help."""
        return await asyncio.shield(self._gave_up)

    async def stop(self, within: float, stopping: Callable[[str], None] = lambda _: None) -> None:
        """Stop all parts, the last started first, in `within` seconds at most. `stopping` hears each one's name."""
        wanted = sum(kept.part.grace for kept in self._kept)
        share = min(1.0, within / wanted) if wanted else 1.0
        while self._kept:
            kept = self._kept[-1]
            await _end_task(kept.task)
            if kept.process is not None:
                stopping(kept.part.name)
                await kept.process.stop(kept.part.grace * share)
            self._kept.pop()

    def kill(self) -> None:
        """End all processes at once."""
        for kept in self._kept:
            if kept.task is not None:
                kept.task.cancel()
        for kept in self._kept:
            if kept.process is not None:
                kept.process.kill()

    def _pass_on_error(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self._gave_up.done():
            self._gave_up.set_exception(error)

    async def _until_ready(self, kept: _Kept) -> None:
        part = kept.part
        try:
            async with asyncio.timeout(part.start_timeout):
                while not await self._is_ready(kept):
                    if self._gave_up.done():
                        raise self._gave_up.result()
                    if kept.failures >= _ENOUGH_FAILURES:
                        raise PartFailed(part.name, self._told(kept, f"{part.name} ends as soon as it is started"))
                    await asyncio.sleep(_READY_POLL_S)
        except TimeoutError:
            raise PartFailed(part.name, self._told(kept, f"{part.name} is not ready after {part.start_timeout:g} s")) from None

    async def _is_ready(self, kept: _Kept) -> bool:
        if kept.process is None:
            return False
        if kept.part.ready is None:
            return time.monotonic() - kept.began >= _STEADY_S
        return await kept.part.ready()

    def _told(self, kept: _Kept, what: str) -> str:
        reason = last_error(kept.part.log)
        return f"{what}: {reason or 'it says nothing'} (log: {kept.part.log})"

    async def _keep(self, kept: _Kept, process: Process) -> None:
        part = kept.part
        while True:
            ended = await process.wait()
            kept.process = None
            code, how = ended.code, exit_words(ended.code)
            reason = ended.reason or last_error(part.log, kept.log_start)
            while True:
                verdict = after_exit(code, time.monotonic() - kept.began, kept.failures)
                if isinstance(verdict, GiveUp):
                    if not self._gave_up.done():
                        said = text_since(part.log, kept.log_start) or how
                        self._gave_up.set_result(PartFailed(part.name, f"{part.name} can't run:\n{said}", verdict.code))
                    return
                kept.failures = verdict.failures
                self._notify(Ended(part.name, how, reason, verdict.delay))
                await asyncio.sleep(verdict.delay)
                kept.log_start, kept.began = _size(part), time.monotonic()
                try:
                    process = kept.process = await part.start()
                    break
                except (OSError, PartFailed) as error:
                    code, how, reason = 1, "could not be started", str(error)
            self._notify(StartedAgain(part.name))


def _size(part: Part) -> int:
    return part.log.stat().st_size if part.log.exists() else 0


async def _end_task(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])

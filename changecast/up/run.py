"""`changecast up` from the command line to its exit code: signals in, errors in words."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from changecast.up.lock import AlreadyRunning, NoDataDirectory
from changecast.up.plan import make_plan
from changecast.up.reload_signals import HASTE_S, ReloadSignals
from changecast.up.screen import Screen, open_screen
from changecast.up.session import Session
from changecast.up.supervisor import PartFailed
from runtime.topics import TopicMismatch


class Signals:
    """`stop` is set by the first SIGINT or SIGTERM, or when the terminal hangs up; `now` by a Ctrl-C that follows; `reload` by SIGHUP
    and SIGUSR1 (see `reload_signals`)."""

    def __init__(self) -> None:
        self.stop, self.now, self.reload = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._first: float | None = None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._got, number)
        ReloadSignals(self.reload.set, lambda: self._got(signal.SIGHUP))

    def _got(self, number: signal.Signals) -> None:
        if self._first is None:
            self._first = time.monotonic()
            self.stop.set()
        elif number == signal.SIGINT and time.monotonic() - self._first > HASTE_S:
            self.now.set()


def run_up(path: Path | None, data_dir: Path | None) -> int:
    """Run until a signal or a failure, and return the exit code. ConfigError is passed on."""
    plan = make_plan(path, data_dir)

    async def session() -> int:
        screen, signals = open_screen(), Signals()
        return await _run(Session(plan, screen, signals.reload), screen, signals)

    return asyncio.run(session())


async def _run(session: Session, screen: Screen, signals: Signals) -> int:
    code = 0
    work = asyncio.create_task(_work(session))
    endings = [asyncio.create_task(event.wait()) for event in (signals.stop, screen.gone)]
    await asyncio.wait([work, *endings], return_when=asyncio.FIRST_COMPLETED)
    interrupted = not work.done()
    try:
        if interrupted:
            work.cancel()
            await asyncio.wait([work])
        else:
            code = _explain(work, screen)
    finally:
        await _stop(session, screen, signals)
    if signals.now.is_set():
        code = code or 1
    if signals.now.is_set() or (interrupted and not session.started):
        # a download's thread may sit in a read for half a minute, and nothing of it is needed
        os._exit(code)
    return code


async def _work(session: Session) -> None:
    await session.start()
    await session.watch()


async def _stop(session: Session, screen: Screen, signals: Signals) -> None:
    stopping, at_once = asyncio.create_task(session.stop()), asyncio.create_task(signals.now.wait())
    await asyncio.wait([stopping, at_once], return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        session.kill()
        screen.say("Killed. The next start goes on where this one was.")
        return
    stopping.result()


def _explain(work: asyncio.Task[None], screen: Screen) -> int:
    """Tell why it ended, for errors that have words for it; others are bugs and are raised."""
    screen.failed()
    error = work.exception()
    match error:
        case PartFailed():
            screen.error(str(error))
            return error.code
        case AlreadyRunning() | NoDataDirectory() | TopicMismatch() | ConnectionError():
            screen.error(str(error))
            return 1
        case None:
            return 0
        case _:
            raise error

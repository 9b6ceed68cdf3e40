"""Time as an argument: a class that decides by time is given a clock, and a test gives it one that it moves by hand."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock in UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring durations."""

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock for tests: it stands still, and a sleep moves it on at once."""

    def __init__(self, now: datetime = datetime(2025, 1, 21, tzinfo=UTC)) -> None:
        self._start = now
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds

    def set_ahead(self, seconds: float) -> None:
        """Somebody sets the clock: no time passes."""
        self._start += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.advance(max(seconds, 0.0))
        await asyncio.sleep(0)


async def sleep_until_set(event: asyncio.Event, seconds: float, clock: Clock) -> None:
    """Sleep for so long, which may be for ever, or until the event is set."""
    waits = [asyncio.ensure_future(event.wait())]
    if seconds < math.inf:
        waits.append(asyncio.ensure_future(clock.sleep(seconds)))  # type: ignore[arg-type]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()

"""A clock that a test moves on: whoever sleeps on it wakes at the right moment, in order, and nobody before."""

from __future__ import annotations

import asyncio
import heapq
from datetime import datetime, timedelta
from itertools import count

_SETTLING = 20
"""Turns of the loop after which whoever was woken has gone to sleep again, or is done."""


class SteppedClock:
    def __init__(self, now: datetime) -> None:
        self._start = now
        self._elapsed = 0.0
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleeping, (self._elapsed + seconds, next(self._numbers), woken))
        await woken

    async def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self._elapsed + seconds
        await self._settle()
        while self._sleeping and self._sleeping[0][0] <= end:
            self._elapsed, _, woken = heapq.heappop(self._sleeping)
            if not woken.done():
                woken.set_result(None)
                await self._settle()
        self._elapsed = end

    async def _settle(self) -> None:
        for _ in range(_SETTLING):
            await asyncio.sleep(0)

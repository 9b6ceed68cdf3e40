"""Forgetting ids that no poll will bring again: a slow walk over one provider's marks in one partition.

A mark's age is measured in the feed's own time, not the wall clock: after three days of a provider's outage nothing has expired.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Protocol

from streams.dedupe import seen_at_of
from streams.tables import Write

STEP = 500
"""Marks looked at in one step, half a millisecond: events wait for no longer. A million marks are walked through in 2,000 steps."""

EVERY_S = 1.0


class Scannable(Protocol):
    def scan(self, partition: int, prefix: bytes, after: bytes, limit: int) -> Iterable[tuple[bytes, bytes]]:
        """Up to `limit` keys with the prefix, in order, from behind `after` on."""


class Sweep:
    """Walks round and round over the marks whose keys begin with `prefix`. `entries` and `oldest` (ms of the feed's time) are those
    that the last round has found; None before its end."""

    def __init__(self, table: Scannable, partition: int, prefix: bytes, window: timedelta) -> None:
        self._table = table
        self._partition = partition
        self._prefix = prefix
        self._window_ms = int(window / timedelta(milliseconds=1))
        self._after = b""
        self._walked = 0
        self._oldest: int | None = None
        self.entries: int | None = None
        self.oldest: int | None = None

    @property
    def under_way(self) -> bool:
        """Whether a round has begun that is not at its end."""
        return bool(self._after)

    def step(self, feed_time: Callable[[str], int]) -> list[Write]:
        """The marks to delete among the next ones. `feed_time`: how far the feed of an id has come, in ms."""
        rows = list(self._table.scan(self._partition, self._prefix, self._after, STEP))
        expired = []
        for key, value in rows:
            seen_at = seen_at_of(value)
            if seen_at < feed_time(key.decode()) - self._window_ms:
                expired.append(Write(key, None))
            else:
                self._walked += 1
                self._oldest = seen_at if self._oldest is None else min(self._oldest, seen_at)
        if len(rows) == STEP:
            self._after = rows[-1][0]
        else:
            self.entries, self.oldest = self._walked, self._oldest
            self._after, self._walked, self._oldest = b"", 0, None
        return expired


class Sweeping:
    """A sweep's steps in a lane's cycles: one a second while there are cycles, and as many more as it takes to count what came last."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._swept_at = time.monotonic()
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, wake: asyncio.Event) -> None:
        """`wake` is set when a step is due, whether there are events or not."""
        self._wake = wake
        self._again_in(EVERY_S)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def step(self, feed_time: Callable[[str], int], *, grown: bool) -> list[Write]:
        """The marks to delete, where a step is due. `grown`: the cycle itself adds marks, which only a later step can see."""
        due_in = self._swept_at + EVERY_S - time.monotonic()
        if due_in > 0:
            self._again_in(due_in)
            return []
        self._swept_at = time.monotonic()
        expired = self._sweep.step(feed_time)
        if grown or self._sweep.under_way:
            self._again_in(EVERY_S)
        return expired

    def _again_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        self._wake.set()

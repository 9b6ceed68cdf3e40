"""Forgetting ids that no poll will bring again: a slow walk over one provider's marks in one partition.

A mark's age is measured in the feed's own time, not the wall clock: after three days of a provider's outage nothing has expired.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol

from streams.dedupe import seen_at_of
from streams.tables import Write

STEP = 500
"""Marks looked at in one step, half a millisecond: events wait for no longer. A million marks are walked through in 2,000 steps."""


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

    def step(self, stream_time: int) -> list[Write]:
        """The marks to delete among the next ones. `stream_time` in ms: how far the provider's events have come."""
        rows = list(self._table.scan(self._partition, self._prefix, self._after, STEP))
        expired, oldest_kept = [], stream_time - self._window_ms
        for key, value in rows:
            seen_at = seen_at_of(value)
            if seen_at < oldest_kept:
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

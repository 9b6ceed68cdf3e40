"""The newest of many, by time, in bounded memory."""

from __future__ import annotations

import heapq
import itertools
from datetime import datetime
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Newest(Generic[_T]):
    """Keeps `limit` of what is added; `count`: how many were. Of the same time, what came later counts as newer."""

    def __init__(self, limit: int) -> None:
        self.count = 0
        self._limit = limit
        self._heap: list[tuple[datetime, int, _T]] = []
        self._numbers = itertools.count()

    def add(self, at: datetime, one: _T) -> None:
        self.count += 1
        entry = (at, next(self._numbers), one)
        if len(self._heap) < self._limit:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    @property
    def kept(self) -> list[_T]:
        """Oldest first."""
        return [one for _, _, one in sorted(self._heap, key=lambda entry: entry[:2])]

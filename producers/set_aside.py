"""What a feed has sent to the dead topic. Overlaps and re-reads bring an unreadable item again and again; it is written once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from heapq import heappop, heappush

from producers.interface import BrokenItem
from schemas.dead_mark import DeadMark

MOST_MARKS = 50_000
"""Marks of one feed, some 20 MB. Beyond that the oldest go, and what they stood for may be written once more."""


class SetAside:
    """The marks of one feed, `<provider>:<feed>`. Changed only by `add` and `drop`, after the transaction that wrote them."""

    def __init__(self, feed: str, marks: Iterable[DeadMark] = (), limit: int = MOST_MARKS) -> None:
        self._feed = feed
        self._limit = limit
        self._marks: dict[bytes, DeadMark] = {}
        self._by_time: list[tuple[datetime, bytes]] = []
        self.add(marks)

    def __len__(self) -> int:
        return len(self._marks)

    def new(self, broken: Iterable[BrokenItem], now: datetime) -> list[tuple[BrokenItem, DeadMark]]:
        """The items without a mark, each once, with the mark that each is to have. An item without a time of its own has `now`:
        whatever its time is, it is not later."""
        found: dict[bytes, tuple[BrokenItem, DeadMark]] = {}
        for item in broken:
            mark = DeadMark(feed=self._feed, digest=item.digest, read_to=item.time or now, saved_at=now)
            if mark.key not in self._marks:
                found.setdefault(mark.key, (item, mark))
        return list(found.values())

    def expired(self, before: datetime) -> list[bytes]:
        """Keys of marks whose items can't come again, when the feed reads nothing older than `before`; and of those over the limit."""
        gone: list[bytes] = []
        kept = len(self._marks)
        while self._by_time and (self._by_time[0][0] < before or kept - len(gone) > self._limit):
            gone.append(heappop(self._by_time)[1])
        for key in gone:
            # still there until the transaction that deletes them has been committed
            heappush(self._by_time, (self._marks[key].read_to, key))
        return gone

    def add(self, marks: Iterable[DeadMark]) -> None:
        for mark in marks:
            if mark.key not in self._marks:
                self._marks[mark.key] = mark
                heappush(self._by_time, (mark.read_to, mark.key))

    def drop(self, keys: Iterable[bytes]) -> None:
        """Those that `expired` named: the oldest."""
        for key in keys:
            del self._marks[key]
        while self._by_time and self._by_time[0][1] not in self._marks:
            heappop(self._by_time)

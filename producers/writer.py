"""Pages into Kafka: a page's events and the cursor behind them are one transaction, so a kill leaves both or neither."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Self

from producers.interface import BrokenItem, Page
from producers.output import FeedOutput, too_large
from producers.set_aside import SetAside
from runtime.clock import Clock, SystemClock
from runtime.kafka import Cluster
from runtime.topics import read_to_end
from schemas.cursor import Cursor, read_cursor
from schemas.dead_mark import DeadMark, is_dead_mark_key, read_mark
from schemas.event import ObservedEvent

REMEMBERED_IDS = 100_000
"""Event ids a feed remembers, about 20 MB: a recorded day of TMDB's movies, which every poll of that day reads again."""


class Remembered:
    """The last `limit` ids that were written. It only spares Kafka the repeats: what it has forgotten, dedupe drops."""

    def __init__(self, limit: int = REMEMBERED_IDS) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._limit = limit

    def __len__(self) -> int:
        return len(self._ids)

    def new(self, events: Iterable[ObservedEvent]) -> list[ObservedEvent]:
        """Those not written yet, each id once."""
        return list({event.id: event for event in events if event.id not in self._ids}.values())

    def add(self, events: Iterable[ObservedEvent]) -> None:
        for event in events:
            self._ids[event.id] = None
            self._ids.move_to_end(event.id)
        while len(self._ids) > self._limit:
            self._ids.popitem(last=False)


def a_week_before(cursor: Cursor) -> datetime:
    return cursor.read_to - timedelta(days=7)


class FeedWriter:
    """Writes one feed's pages. Its start fences any other writer of the same feed, and settles what that one left open.

    An unreadable item goes to the dead topic once: with it a mark is written, which a later writer reads, and which is deleted when
    the feed can't read the item again. `reads_from`: how far back it may read from a cursor. `broken` counts what goes there by reason.
    """

    def __init__(
        self,
        cluster: Cluster,
        provider: str,
        feed: str,
        *,
        reads_from: Callable[[Cursor], datetime] = a_week_before,
        broken: Counter[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._cluster = cluster
        self._provider = provider
        self._feed = feed
        self._reads_from = reads_from
        self._broken = Counter() if broken is None else broken
        self._clock = clock or SystemClock()
        self._remembered = Remembered()
        self._set_aside = SetAside(f"{provider}:{feed}")
        self._output = FeedOutput(cluster, provider, feed, f"{cluster.topics.prefix}-producers-{provider}-{feed}")
        self.cursor: Cursor | None = None

    async def __aenter__(self) -> Self:
        await self._output.__aenter__()
        # only now: the fence has settled the last writer's open transaction, so the cursor read is the last there is
        self.cursor, marks = await _load(self._cluster, self._provider, self._feed)
        self._set_aside = SetAside(f"{self._provider}:{self._feed}", marks)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._output.__aexit__()

    async def write(self, page: Page) -> int:
        """Write the page; returns how many of its events had not been written by this process before."""
        events = self._remembered.new(page.events)
        broken = [*page.broken, *(item for event in events if (item := too_large(event)) is not None)]
        large = {item.identity for item in broken if item.reason == "too-large"}
        fitting = [event for event in events if event.id not in large]
        if not await self._write(fitting, broken, page.cursor):
            return 0
        self._remembered.add(events)
        return len(events)

    async def bury(self, item: BrokenItem) -> None:
        """Keep what could not be read, without moving the cursor."""
        await self._write([], [item], self.cursor)

    async def _write(self, events: list[ObservedEvent], broken: list[BrokenItem], cursor: Cursor | None) -> bool:
        """One transaction; returns whether there was anything to be written."""
        new = self._set_aside.new(broken, self._feed_time(cursor))
        if not events and not new and cursor == self.cursor:
            return False
        expired = [] if cursor is None else self._set_aside.expired(self._reads_from(cursor))
        marks: dict[bytes, bytes | None] = {mark.key: mark.to_json() for _, mark in new}
        moved = cursor if cursor != self.cursor else None
        await self._output.write(events, [item for item, _ in new], moved, {**dict.fromkeys(expired), **marks})
        self._set_aside.drop(expired)
        self._set_aside.add(mark for _, mark in new)
        self._broken.update(item.reason for item, _ in new)
        self.cursor = cursor
        return True

    def _feed_time(self, cursor: Cursor | None) -> datetime:
        """No earlier than any item that has been read: the provider's clock may be ahead of ours."""
        now = self._clock.now()
        return now if cursor is None else max(now, cursor.read_to)


class UnreadableCursor(Exception):
    """The feed's last cursor can't be read. To begin again at `since` could skip or repeat months: the operator decides."""


async def load_cursor(cluster: Cluster, provider: str, feed: str) -> Cursor | None:
    """The last committed cursor of a feed; None before its first page. Raises UnreadableCursor."""
    cursor, _ = await _load(cluster, provider, feed)
    return cursor


async def _load(cluster: Cluster, provider: str, feed: str) -> tuple[Cursor | None, list[DeadMark]]:
    """A feed's cursor, and what is in the dead topic of it already. Raises UnreadableCursor."""
    key, last, marks = f"{provider}:{feed}".encode(), None, dict[bytes, DeadMark | None]()
    async for record in read_to_end(cluster, cluster.topics.cursors.name):
        if record.key == key:
            last = record
        elif is_dead_mark_key(record.key) and record.key.startswith(key + b":"):
            marks[record.key] = read_mark(record.value)
    known = [mark for mark in marks.values() if mark is not None]
    if last is None or last.value is None:
        return None, known
    if (cursor := read_cursor(last.value)) is None:
        raise UnreadableCursor(
            f"the cursor in {last.topic}, partition {last.partition}, offset {last.offset}, key {provider}:{feed}, can't be read: "
            "the feed is not polled. If a newer version of changecast wrote it, run that version. Else write a record with this key and "
            "no value there, and the feed begins at its `since`; `changecast provider backfill` then reads the time that is missing"
        )
    return cursor, known

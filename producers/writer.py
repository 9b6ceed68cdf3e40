"""Pages into Kafka: a page's events and the cursor behind them are one transaction, so a kill leaves both or neither."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Self

from producers.interface import BrokenItem, Page
from producers.output import FeedOutput
from runtime.kafka import Cluster
from runtime.topics import read_to_end
from schemas.cursor import Cursor, read_cursor
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


class FeedWriter:
    """Writes one feed's pages. Its start fences any other writer of the same feed, and settles what that one left open."""

    def __init__(self, cluster: Cluster, provider: str, feed: str) -> None:
        self._cluster = cluster
        self._provider = provider
        self._feed = feed
        self._remembered = Remembered()
        self._output = FeedOutput(cluster, provider, feed, f"{cluster.topics.prefix}-producers-{provider}-{feed}")
        self.cursor: Cursor | None = None

    async def __aenter__(self) -> Self:
        await self._output.__aenter__()
        # only now: the fence has settled the last writer's open transaction, so the cursor read is the last there is
        self.cursor = await load_cursor(self._cluster, self._provider, self._feed)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._output.__aexit__()

    async def write(self, page: Page) -> int:
        """Write the page; returns how many of its events had not been written by this process before."""
        events = self._remembered.new(page.events)
        if not events and not page.broken and page.cursor == self.cursor:
            return 0
        await self._output.write(events, page.broken, page.cursor)
        self._remembered.add(events)
        self.cursor = page.cursor
        return len(events)

    async def bury(self, item: BrokenItem) -> None:
        """Keep what could not be read, without moving the cursor."""
        await self._output.write((), [item])


class UnreadableCursor(Exception):
    """The feed's last cursor can't be read. To begin again at `since` could skip or repeat months: the operator decides."""


async def load_cursor(cluster: Cluster, provider: str, feed: str) -> Cursor | None:
    """The last committed cursor of a feed; None before its first page. Raises UnreadableCursor."""
    key, last = f"{provider}:{feed}".encode(), None
    async for record in read_to_end(cluster, cluster.topics.cursors.name):
        if record.key == key:
            last = record
    if last is None or last.value is None:
        return None
    if (cursor := read_cursor(last.value)) is None:
        raise UnreadableCursor(
            f"the cursor in {last.topic}, partition {last.partition}, offset {last.offset}, key {provider}:{feed}, can't be read: "
            "the feed is not polled. If a newer version of changecast wrote it, run that version. Else write a record with this key and "
            "no value there, and the feed begins at its `since`; `changecast provider backfill` then reads the time that is missing"
        )
    return cursor

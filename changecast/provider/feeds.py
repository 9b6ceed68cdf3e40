"""How each feed is doing: its cursor, and what its worker last said of it, both read from Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from producers.board import EVERY_S
from producers.leadership import group_of
from runtime.kafka import Cluster
from runtime.topics import read_to_end
from schemas.config import Config
from schemas.cursor import Cursor, feed_of, read_cursor
from schemas.feed_status import FeedState, FeedStatus, read_status

STALE_AFTER = timedelta(seconds=3 * EVERY_S)
"""A worker that lives has written its status since then, but for a hiccup of Kafka."""


@dataclass(frozen=True)
class FeedView:
    """A feed as it is known in Kafka. `cursor` None: it has never been read, or its cursor is unreadable; `status` None: nobody has
    polled it yet."""

    provider: str
    feed: str
    cursor: Cursor | None = None
    status: FeedStatus | None = None
    unreadable: bool = False

    @property
    def name(self) -> str:
        return f"{self.provider}:{self.feed}"

    def polled(self, now: datetime) -> bool:
        """Whether a worker polls it now."""
        status = self.status
        return status is not None and status.state is not FeedState.STOPPED and now - status.at <= STALE_AFTER

    def lag(self, now: datetime) -> timedelta | None:
        """How far behind now it has been read."""
        return None if self.cursor is None else max(now - self.cursor.read_to, timedelta())

    def as_json(self, now: datetime) -> dict[str, Any]:
        lag, status = self.lag(now), self.status
        return {
            "provider": self.provider,
            "feed": self.feed,
            "polled": self.polled(now),
            "cursor": None if self.cursor is None else self.cursor.model_dump(mode="json"),
            "cursor_unreadable": self.unreadable,
            "lag_s": None if lag is None else lag.total_seconds(),
            "status": None if status is None else status.model_dump(mode="json", exclude={"provider", "feed"}),
        }


@dataclass(frozen=True)
class Overview:
    """All feeds; `workers`: producers workers on the cluster, of which one polls; `unconfigured`: providers without credentials."""

    at: datetime
    feeds: Sequence[FeedView]
    workers: int
    unconfigured: Sequence[str]

    @property
    def polled(self) -> bool:
        return any(feed.polled(self.at) for feed in self.feeds)

    @property
    def last_seen(self) -> datetime | None:
        """When a worker last said anything."""
        return max((feed.status.at for feed in self.feeds if feed.status is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "polled": self.polled,
            "workers": self.workers,
            "feeds": [feed.as_json(self.at) for feed in self.feeds],
            "not_configured": list(self.unconfigured),
        }


async def overview(config: Config, cluster: Cluster, now: datetime) -> Overview:
    """What Kafka knows of the feeds of the providers that the config names."""
    named = config.providers.named()
    records: list[tuple[bytes, bytes | None]] = []
    topic = cluster.topics.cursors.name
    async with cluster.admin() as admin:
        exists = topic in await admin.list_topics()
    if exists:
        records = [(record.key, record.value) async for record in read_to_end(cluster, topic)]
    return Overview(
        at=now,
        feeds=[feed for feed in views(records) if feed.provider in named],
        workers=await count_workers(cluster),
        unconfigured=[name for name, settings in named.items() if not settings.configured],
    )


def views(records: Iterable[tuple[bytes, bytes | None]]) -> list[FeedView]:
    """The feeds that the records of the cursors topic tell of, by name."""
    cursors: dict[tuple[str, str], Cursor | None] = {}
    statuses: dict[tuple[str, str], FeedStatus] = {}
    for key, value in records:
        if (status := read_status(key, value)) is not None:
            statuses[status.provider, status.feed] = status
        elif value is not None and (name := feed_of(key)) is not None:
            cursors[name] = read_cursor(value)
    return [
        FeedView(*name, cursors.get(name), statuses.get(name), unreadable=name in cursors and cursors[name] is None)
        for name in sorted({*cursors, *statuses})
    ]


async def count_workers(cluster: Cluster) -> int:
    """Producers workers on the cluster. One that was killed counts for some seconds more."""
    async with cluster.admin() as admin:
        described = await admin.describe_consumer_groups([group_of(cluster)])
    return sum(len(group[5]) for response in described for group in response.groups)

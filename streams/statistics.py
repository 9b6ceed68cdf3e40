"""What a partition holds, and what it has done: for the worker's log and its metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from runtime.amounts import amount
from schemas.event import Status


@dataclass(frozen=True)
class Statistics:
    """A partition's state: known ids (None until they have been counted), the oldest by the feed's time in ms, sizes in bytes, and
    events that wait for an answer."""

    ids: int | None
    oldest_id_ms: int | None
    ids_bytes: int
    snapshots_bytes: int
    waiting: int


@dataclass
class Counts:
    """Events taken in, repeats among them, published by status, and dead."""

    events: int = 0
    repeats: int = 0
    dead: int = 0
    published: Counter[Status] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        self.events += other.events
        self.repeats += other.repeats
        self.dead += other.dead
        self.published.update(other.published)


def summary(partitions: Sequence[Statistics]) -> str:
    """One provider's partitions in a line."""
    oldest = min((one.oldest_id_ms for one in partitions if one.oldest_id_ms is not None), default=None)
    since = "-" if oldest is None else datetime.fromtimestamp(oldest / 1000, UTC).isoformat(timespec="seconds")
    ids, waiting = sum(one.ids or 0 for one in partitions), sum(one.waiting for one in partitions)
    ids_mb, snapshots_mb = (
        sum(sizes) / 1e6 for sizes in zip(*((p.ids_bytes, p.snapshots_bytes) for p in partitions), strict=True)
    )
    return (
        f"{amount(len(partitions), 'partition')}, {amount(ids, 'id')} known ({ids_mb:.1f} MB, the oldest of {since}), "
        f"{snapshots_mb:.1f} MB of snapshots, {amount(waiting, 'event')} waiting"
    )

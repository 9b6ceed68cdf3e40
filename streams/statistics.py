"""The size of what a worker holds, for its log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Statistics:
    """A partition's state: known ids (None until they have been counted), the oldest by the feed's time in ms, sizes in bytes, and
    events that wait for an answer."""

    ids: int | None
    oldest_id_ms: int | None
    ids_bytes: int
    snapshots_bytes: int
    waiting: int


def summary(partitions: Sequence[Statistics]) -> str:
    """One provider's partitions in a line."""
    oldest = min((one.oldest_id_ms for one in partitions if one.oldest_id_ms is not None), default=None)
    since = "-" if oldest is None else datetime.fromtimestamp(oldest / 1000, UTC).isoformat(timespec="seconds")
    ids, waiting = sum(one.ids or 0 for one in partitions), sum(one.waiting for one in partitions)
    ids_mb, snapshots_mb = (
        sum(sizes) / 1e6 for sizes in zip(*((p.ids_bytes, p.snapshots_bytes) for p in partitions), strict=True)
    )
    return (
        f"{len(partitions)} partitions, {ids} ids known ({ids_mb:.1f} MB, the oldest of {since}), "
        f"{snapshots_mb:.1f} MB of snapshots, {waiting} events waiting"
    )

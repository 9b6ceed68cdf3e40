"""The topics: names, partitions, and how long each is kept. One place, so that code, docs and compose agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""One record may hold an event with a large series' episodes in it. The topics are made to take as much."""
ROOM_BYTES = 32 * 1024
"""A raw record is smaller by so much: with the headers that say why it is dead, or its id as a key, it must fit a record as it came."""

_DAY_MS = int(timedelta(days=1) / timedelta(milliseconds=1))
_FOREVER_MS = -1
_SMALL_SEGMENTS = {"segment.bytes": str(1 << 20), "min.cleanable.dirty.ratio": "0.1"}
"""What is read to its end at each start, and written every few seconds: Kafka compacts only the segments that are full."""

TOMBSTONES_KEPT_MS = 7 * _DAY_MS
"""A reader that comes back within this time learns of every deletion."""
_COMPACTION = {
    # the segment being written is never compacted, and these topics are read whole at a start: a small one keeps that short
    "segment.bytes": str(16 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": str(TOMBSTONES_KEPT_MS),
}


@dataclass(frozen=True)
class Topic:
    """A topic's name and the settings it is created with. `retention_ms` -1: kept until deleted."""

    name: str
    partitions: int
    retention_ms: int = _FOREVER_MS
    compacted: bool = False
    configs: dict[str, str] = field(default_factory=dict)

    def topic_configs(self) -> dict[str, str]:
        policy = "compact" if self.compacted else "delete"
        configs = {"cleanup.policy": policy, "retention.ms": str(self.retention_ms), "max.message.bytes": str(MAX_RECORD_BYTES)}
        return configs | (_COMPACTION if self.compacted else {}) | self.configs


@dataclass(frozen=True)
class Topics:
    """All topics under one prefix. `partitions` is that of each provider's topics, fixed once they exist."""

    prefix: str = "changecast"
    partitions: int = 4

    def raw(self, provider: str) -> Topic:
        """Its records leave room for what the dead topic adds to them."""
        largest = {"max.message.bytes": str(MAX_RECORD_BYTES - ROOM_BYTES)}
        return Topic(f"{self.prefix}.raw.{provider}", self.partitions, 7 * _DAY_MS, configs=largest)

    def changes(self, provider: str) -> Topic:
        return Topic(f"{self.prefix}.changes.{provider}", self.partitions, 14 * _DAY_MS)

    def deferred(self, provider: str) -> Topic:
        return Topic(f"{self.prefix}.deferred.{provider}", self.partitions, compacted=True)

    def state(self, provider: str, table: str) -> Topic:
        """The changelog of a streams table (`seen`, `snapshots`): what a worker that has lost its disk starts from."""
        return Topic(f"{self.prefix}.state.{provider}.{table}", self.partitions, compacted=True)

    def retry(self, delay: str) -> Topic:
        """Emptied by delete_records when done, never by time: a delivery that is due tomorrow must still be there."""
        return Topic(f"{self.prefix}.retry.{delay}", self.partitions)

    @property
    def cursors(self) -> Topic:
        return Topic(f"{self.prefix}.cursors", 1, compacted=True, configs=_SMALL_SEGMENTS)

    @property
    def endpoints(self) -> Topic:
        return Topic(f"{self.prefix}.endpoints", 1, compacted=True)

    @property
    def alerts(self) -> Topic:
        """What operators are told of endpoints; as many partitions as the changes, which the sinks read beside it."""
        return Topic(f"{self.prefix}.alerts", self.partitions, 14 * _DAY_MS)

    @property
    def deliveries(self) -> Topic:
        return Topic(f"{self.prefix}.deliveries", self.partitions, 7 * _DAY_MS)

    @property
    def dead(self) -> Topic:
        return Topic(f"{self.prefix}.dead", self.partitions, 30 * _DAY_MS)

    def of_provider(self, provider: str) -> list[Topic]:
        return [self.raw(provider), self.changes(provider), self.deferred(provider)]

    def common(self) -> list[Topic]:
        return [self.cursors, self.endpoints, self.deliveries, self.dead]

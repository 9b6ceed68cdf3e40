"""The records that a partition's transaction holds: changes, deferred events and their tombstones, and what is dead."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from schemas import dead, redaction
from schemas.event import ChangeEvent
from schemas.topics import MAX_RECORD_BYTES, ROOM_BYTES, Topics
from streams.deadlimit import DeadCount
from streams.enrich import Sighting
from streams.output import Record
from streams.pending import to_record
from streams.tables import Write

log = logging.getLogger(__name__)

LARGEST_VALUE = MAX_RECORD_BYTES - ROOM_BYTES
"""Leaves room for a record's key and headers."""
_LONGEST_ERROR = 1_000
"""Bytes: a sentence for people, in a header beside a value that may fill its record."""


class Records:
    """Makes the records of one partition of one provider's raw topic, and counts those that are dead."""

    def __init__(self, topics: Topics, provider: str, partition: int, dead_count: DeadCount) -> None:
        self.raw = topics.raw(provider).name
        self.deferred = topics.deferred(provider).name
        self._changes = topics.changes(provider).name
        self._dead = topics.dead.name
        self._partition = partition
        self._count = dead_count

    def change(self, sighting: Sighting, change: ChangeEvent) -> Record:
        """The change event; a dead record where it is too large for its topic."""
        value = change.to_json()
        if len(value) > LARGEST_VALUE:
            return self.dead_event(sighting, "too-large", f"the enriched event has {len(value)} bytes")
        return Record(self._changes, change.subject.encode(), value, change.kafka_headers())

    def defer(self, sighting: Sighting) -> Record:
        return Record(self.deferred, sighting.id.encode(), to_record(sighting))

    def undefer(self, sightings: Sequence[Sighting]) -> list[Record]:
        return [Record(self.deferred, sighting.id.encode(), None) for sighting in sightings]

    def dead_event(self, sighting: Sighting, reason: str, error: str) -> Record:
        return self.dead(sighting.event.subject.encode(), sighting.raw, sighting.offset, reason, error)

    def dead(self, key: bytes | None, value: bytes | None, offset: int | None, reason: str, error: str) -> Record:
        """A record for the dead topic: key and value as they came. A record with neither, which Kafka takes and aiokafka does not,
        gets an empty value."""
        error = redaction.excerpt(error, _LONGEST_ERROR)
        log.warning("%s/%d at %s: %s; it is kept in %s", self.raw, self._partition, offset, error, self._dead)
        self._count.count_dead()
        headers = dead.headers(reason=reason, error=error, topic=self.raw, partition=self._partition, offset=offset)
        return Record(self._dead, key, b"" if key is None and value is None else value, headers)

    def is_dead(self, record: Record) -> bool:
        return record.topic == self._dead


def kept(snapshot: Write | None) -> Write | None:
    """The snapshot, unless it is too large to be kept: the entity's next event is then a first sight again."""
    if snapshot is None or snapshot.value is None or len(snapshot.value) <= LARGEST_VALUE:
        return snapshot
    log.warning("%s: its state has %d bytes and is not kept", snapshot.key.decode(), len(snapshot.value))
    return Write(snapshot.key, None)

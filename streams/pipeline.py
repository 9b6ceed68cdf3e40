"""What a lane does with a batch: read the raw events, drop repeats, enrich, and say what to publish and what to remember."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from runtime.kafka import MAX_REQUEST_BYTES
from schemas import dead
from schemas.event import ChangeEvent, ObservedEvent
from schemas.topics import Topics
from streams.dedupe import first_sightings
from streams.enrich import Enricher, Sighting
from streams.lane import BatchOutcome
from streams.output import Record
from streams.tables import ChangelogTable

log = logging.getLogger(__name__)

_RECORD_OVERHEAD = 16 * 1024
"""Room for a record's key and headers beside its value."""


@dataclass
class Pipeline:
    """One provider's work on batches. `stream_time`, in ms, is how far the provider's events have come: the clock of dedupe."""

    provider: str
    topics: Topics
    enricher: Enricher
    seen: ChangelogTable
    snapshots: ChangelogTable
    stream_time: int = 0

    async def work(self, events: Sequence[Any]) -> BatchOutcome:
        """The outcome of a batch of one partition's raw events. An event that can't be read goes to the dead topic as it came."""
        partition = events[0]
        outcome = BatchOutcome()
        sightings = []
        for event in events:
            try:
                observed = ObservedEvent.model_validate_json(event.value)
            except ValidationError as error:
                outcome.records.append(self._dead(event, "bad-event", f"not an observed event: {error.error_count()} errors"))
            else:
                sightings.append(Sighting(observed, event.message.offset))
        self._advance(sightings)
        fresh, marks = first_sightings(sightings, lambda key: self.seen.look_up(partition, key), self.stream_time)
        published, snapshots = await self.enricher.enrich(fresh, lambda key: self.snapshots.look_up(partition, key))
        origins = {event.message.offset: event for event in events}
        for sighting, change in zip(fresh, published, strict=True):
            outcome.records.append(self._record(change, origins[sighting.offset]))
        outcome.writes = [(self.seen, marks), (self.snapshots, snapshots)]
        return outcome

    def _advance(self, sightings: Sequence[Sighting]) -> None:
        newest = max((sighting.event.time.timestamp() for sighting in sightings), default=0.0)
        self.stream_time = max(self.stream_time, int(newest * 1000))

    def _record(self, change: ChangeEvent, origin: Any) -> Record:
        value = change.to_json()
        if len(value) > MAX_REQUEST_BYTES - _RECORD_OVERHEAD:
            return self._dead(origin, "too-large", f"the enriched event has {len(value)} bytes")
        return Record(self.topics.changes(self.provider).name, change.subject.encode(), value, change.kafka_headers())

    def _dead(self, event: Any, reason: str, error: str) -> Record:
        message = event.message
        log.warning(
            "%s/%d at %d: %s; it is kept in %s", message.topic, message.partition, message.offset, error, self.topics.dead.name
        )
        headers = dead.headers(
            reason=reason, error=error, topic=message.topic, partition=message.partition, offset=message.offset
        )
        return Record(self.topics.dead.name, event.key, event.value, headers)

"""Enrichment of a batch: events grouped by entity, each entity read once, what changed worked out, and the order kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from producers.interface import Fetched, Provider, Refused
from schemas.event import Change, ChangeEvent, ObservedEvent, Status
from streams import assemble
from streams.diff import appearance, differences
from streams.reading import EntityReader, Failed
from streams.snapshots import Snapshot, State
from streams.tables import Write

log = logging.getLogger(__name__)

LookUp = Callable[[bytes], bytes | None]


@dataclass(frozen=True)
class Sighting:
    """A raw event and the offset it stands at."""

    event: ObservedEvent
    offset: int

    @property
    def id(self) -> str:
        return self.event.id


@dataclass(frozen=True)
class Enriched:
    """The events of one entity, in order, and the snapshot to write."""

    events: list[ChangeEvent]
    write: Write | None = None


class Enricher:
    """Turns observed events of one provider into change events."""

    def __init__(self, provider: Provider, reader: EntityReader) -> None:
        self._provider = provider
        self._reader = reader

    async def enrich(self, sightings: Sequence[Sighting], look_up: LookUp) -> tuple[list[ChangeEvent], list[Write]]:
        """The events in the order in which they came, and the snapshots to write."""
        entities: dict[str, list[Sighting]] = {}
        for sighting in sightings:
            entities.setdefault(sighting.event.subject, []).append(sighting)
        results = await asyncio.gather(*(self._entity(subject, group, look_up) for subject, group in entities.items()))
        waiting = {subject: iter(result.events) for subject, result in zip(entities, results, strict=True)}
        events = [next(waiting[sighting.event.subject]) for sighting in sightings]
        return events, [result.write for result in results if result.write is not None]

    async def _entity(self, subject: str, group: list[Sighting], look_up: LookUp) -> Enriched:
        key, position = subject.encode(), group[0].offset
        stored = look_up(key)
        before = Snapshot.unpack(stored).at(position) if stored else None
        observed = [sighting.event for sighting in group]
        newest = max(event.time for event in observed)
        if before is not None and self._reader.covers(before.fetched_at, newest):
            return Enriched([assemble.read(self._provider, event, before, []) for event in observed])
        known = before.entity if before else None
        try:
            answer = await self._reader.read(observed[-1].data.entity, newest)
        except Failed as failure:
            log.warning("%s: %s; published with status failed", subject, failure)
            return Enriched([assemble.unread(event, Status.FAILED, known) for event in observed])
        if answer is None:
            return Enriched([assemble.unread(event, Status.SKIPPED, known) for event in observed])
        if isinstance(answer, Refused):
            return self._refused(key, position, observed, before, answer)
        return self._read(key, position, observed, before, answer)

    def _read(self, key: bytes, position: int, observed: list[ObservedEvent], before: State | None, fetched: Fetched) -> Enriched:
        after = State.of(fetched)
        if not fetched.comparable:
            return Enriched(
                [assemble.read(self._provider, event, after, event.data.changes, partial=fetched.partial) for event in observed]
            )
        first, *later = observed
        changes = self._changes(first, before, after)
        # one fetch tells of all the entity's events in the batch: the first carries what changed, the others nothing more
        events = [
            assemble.read(self._provider, first, after, changes, baseline=before is None, partial=fetched.partial),
            *(assemble.read(self._provider, event, after, [], partial=fetched.partial) for event in later),
        ]
        return Enriched(events, Write(key, Snapshot(position, after, before).pack()))

    @staticmethod
    def _changes(first: ObservedEvent, before: State | None, after: State) -> list[Change]:
        if before is None:
            return appearance(first.data.action, first.data.updated_fields, after)
        return differences(before, after)

    @staticmethod
    def _refused(key: bytes, position: int, observed: list[ObservedEvent], before: State | None, answer: Refused) -> Enriched:
        known = before.entity if before else None
        if before is None or answer.forbidden:
            return Enriched([assemble.refused(event, answer, assemble.own_changes(event), known) for event in observed])
        first, *later = observed
        events = [
            assemble.refused(first, answer, assemble.deletion(before.document()), known),
            *(assemble.refused(event, answer, assemble.own_changes(event), known) for event in later),
        ]
        return Enriched(events, Write(key, Snapshot(position, None, before).pack()))

"""Events that wait for an answer about their entity: in raw order, and in the deferred topic once a cycle has left them behind."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from schemas.event import Action, Entity, ObservedEvent
from streams import raw
from streams.enrich import Sighting
from streams.reading import Answer
from streams.snapshots import State

_RECORD = re.compile(rb'\{"offset":(?P<offset>\d+),"event":(?P<event>.*)\}', re.DOTALL)
"""Taken apart as it was put together: the event's bytes are to be those that came, and a JSON reader would not give them."""
_EXCERPT = 100


class NewerDeferred(Exception):
    """A deferred event that only a newer version of changecast can read."""


@dataclass
class Waiting:
    """The waiting events of one entity. The first `deferred` of them stand in the deferred topic. `before` is its last published
    state, held for the length of a cycle: states may be large, and thousands of entities may wait. `rest`: runs while the entity
    rests until it is looked at again. `shrunk_looks`: how often most of its members were
    found to be gone, which is not believed until `doubted_until`."""

    subject: str
    sightings: list[Sighting] = field(default_factory=list)
    deferred: int = 0
    reading: asyncio.Task[Answer] | None = None
    before: State | None = None
    looked_up: bool = False
    rest: asyncio.Task[None] | None = None
    shrunk_looks: int = 0
    doubted_until: datetime | None = None

    @property
    def entity(self) -> Entity:
        """As the newest event names it that knows most of what is above it: a resync of what can't be read knows nothing, and by
        its parents an entity is asked for."""
        named = (sighting.event.data.entity for sighting in reversed(self.sightings))
        return max(named, key=lambda entity: len(entity.parents))

    @property
    def newest(self) -> datetime:
        return max(sighting.event.time for sighting in self.sightings)

    @property
    def answered(self) -> bool:
        return self.reading is not None and self.reading.done()

    @property
    def deleted(self) -> bool:
        """Whether the feed has named the entity's deletion last."""
        return self.sightings[-1].event.data.action is Action.DELETED

    def wake(self) -> None:
        """End the rest."""
        if self.rest is not None:
            self.rest.cancel()
            self.rest = None

    def let_go_of_state(self) -> None:
        self.before, self.looked_up = None, False

    def defer(self) -> list[Sighting]:
        """Those that are not in the deferred topic yet, from now on counted as being there."""
        new = self.sightings[self.deferred :]
        self.deferred = len(self.sightings)
        return new


class Pending:
    """All waiting events of one partition, by entity."""

    def __init__(self) -> None:
        self._entities: dict[str, Waiting] = {}
        self._ids: set[str] = set()

    def __len__(self) -> int:
        """Waiting events."""
        return len(self._ids)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._ids

    def __iter__(self) -> Iterator[Waiting]:
        return iter(list(self._entities.values()))

    def get(self, subject: str) -> Waiting | None:
        return self._entities.get(subject)

    def add(self, sighting: Sighting) -> Waiting:
        subject = sighting.event.subject
        waiting = self._entities.setdefault(subject, Waiting(subject))
        waiting.sightings.append(sighting)
        self._ids.add(sighting.id)
        return waiting

    def take(self, waiting: Waiting, count: int) -> tuple[list[Sighting], int]:
        """Remove the first `count` events of an entity; returns them, and how many of them stand in the deferred topic."""
        taken, waiting.sightings = waiting.sightings[:count], waiting.sightings[count:]
        deferred = min(count, waiting.deferred)
        waiting.deferred -= deferred
        waiting.reading = None
        waiting.wake()
        waiting.let_go_of_state()
        self._ids.difference_update(sighting.id for sighting in taken)
        if not waiting.sightings:
            del self._entities[waiting.subject]
        return taken, deferred


def to_record(sighting: Sighting) -> bytes:
    """A deferred event as it stands in `changecast.deferred.<provider>`: the raw event and its raw offset."""
    return orjson.dumps({"offset": sighting.offset, "event": orjson.Fragment(sighting.raw)})


def from_record(value: bytes) -> Sighting:
    """Raises ValueError for what is no such record, and NewerDeferred for an event of a newer version."""
    matched = _RECORD.fullmatch(value)
    if matched is None:
        raise ValueError(f"no deferred event: {value[:_EXCERPT]!r}")
    if (schema := raw.newer(matched["event"])) is not None:
        raise NewerDeferred(schema)
    return Sighting(ObservedEvent.model_validate_json(matched["event"]), int(matched["offset"]), matched["event"])

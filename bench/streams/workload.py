"""The input: entities that are edited in bursts, with as many repeats as new events, as overlapping polls bring them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import md5

from producers.interface import Fetched
from schemas.event import Action, Entity, Image, ObservedData, ObservedEvent

PROVIDER = "pbs"
BURST = 4
"""Events of one entity in a row: the recorded burst of PBS has 25 entries of 7 entities."""
REPEATED_AFTER = 400
OLD = datetime(2025, 1, 21, tzinfo=UTC)
"""The time of what is known before the measurement."""


def entity_id(number: int) -> str:
    """A UUID, as PBS has them, that does not compress; the number stands in it."""
    chance = md5(b"%d" % number, usedforsecurity=False).hexdigest()
    return f"{number:08x}-{chance[:4]}-4{chance[4:7]}-a{chance[7:10]}-{chance[10:22]}"


def subject(number: int) -> str:
    return f"{PROVIDER}:asset:{entity_id(number)}"


def event_id(number: int, edit: int, time: datetime) -> str:
    return f"{subject(number)}:update:{time.isoformat()}:{edit}"


def entity(number: int) -> Entity:
    return Entity(type="asset", native_type="asset", id=entity_id(number))


def document(number: int, version: int) -> dict[str, object]:
    """What the entity's fields are: some 700 bytes of JSON, as a plain asset of PBS."""
    return {
        "title": f"Asset number {number}",
        "description_short": f"What happens in number {number}, told in version {version}.",
        "description_long": f"A longer word about number {number}. " * 8,
        "duration": 1800 + number % 600,
        "language": "en",
        "premiered_on": "2025-01-21",
        "object_type": "clip",
    }


def fetched(of: Entity, fields: Mapping[str, object], at: datetime) -> Fetched:
    path = f"/images/{of.id}.jpg"
    image = Image(kind="mezzanine", url=f"https://images.example{path}", path=path, width=1920, height=1080)
    named = of.model_copy(update={"name": fields["title"]})
    return Fetched(named, at, fields=fields, images={path: image}, primary_image=path, updated_at=at)


def observed(number: int, edit: int, time: datetime) -> ObservedEvent:
    of = entity(number)
    return ObservedEvent(
        id=event_id(number, edit, time),
        source=f"urn:changecast:{PROVIDER}",
        type=f"changecast.{PROVIDER}.asset.entity.updated",
        subject=subject(number),
        time=time,
        data=ObservedData(provider=PROVIDER, entity=of, action=Action.UPDATED, updated_fields=["title"], observed_at=time),
    )


class Input:
    """New events of entities that are known, in bursts, an hour ago; each is a thousandth of a second after the one before."""

    def __init__(self, entities: int) -> None:
        self._entities = entities
        self._began = datetime.now(UTC) - timedelta(hours=1)

    def fresh(self, index: int) -> tuple[int, ObservedEvent]:
        """Event number `index`, with its entity's number."""
        number = index // BURST * 7919 % self._entities
        return number, observed(number, index + 1, self._began + timedelta(milliseconds=index))

    def with_repeats(self, count: int) -> Iterator[tuple[int, ObservedEvent]]:
        """`count` events: each new one is followed by one that was there before, as overlapping polls bring them."""
        for index in range(count // 2):
            yield self.fresh(index)
            yield self.fresh(max(index - REPEATED_AFTER, 0))

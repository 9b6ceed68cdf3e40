"""Observed events out of TMDB's items. One event an item; its id is the entity's URN and the item's id."""

from __future__ import annotations

from datetime import date, datetime

from producers.gap import gap_event
from producers.tmdb.departures import Departure
from producers.tmdb.models import NATIVE_TYPE, PROVIDER, Item, Kind
from producers.tmdb.windows import DAY, midnight
from schemas.event import ENTITY_KEY, Action, Change, Entity, ObservedData, ObservedEvent, Parent, event_type, source
from schemas.urn import Urn


def entity(shared_type: str, entity_id: int, number: int | None = None, parents: tuple[Parent, ...] = ()) -> Entity:
    return Entity(type=shared_type, native_type=NATIVE_TYPE[shared_type], id=str(entity_id), number=number, parents=list(parents))


def as_parent(above: Entity) -> Parent:
    return Parent(type=above.type, id=above.id, number=above.number)


def observed(subject: Entity, item: Item, observed_at: datetime, *, out_of_turn: bool = False) -> ObservedEvent:
    change = Change(
        key=item.key,
        action=item.action,
        language=item.language,
        country=item.country,
        before=item.before,
        after=item.after,
        native_id=item.id,
        native_action=item.native_action,
    )
    return _event(subject, item.id, change, item.time, observed_at, out_of_turn=out_of_turn)


def day_gap(feed: Kind, day: date, reason: str, observed_at: datetime) -> ObservedEvent:
    """The changes of a day that TMDB does not give."""
    return gap_event(PROVIDER, feed, midnight(day), midnight(day + DAY), reason, observed_at)


def entity_gap(feed: Kind, subject: Entity, start: date, end: date, reason: str, observed_at: datetime) -> ObservedEvent:
    """The changes of one entity that TMDB does not give, from `start` up to before `end`."""
    event = gap_event(PROVIDER, feed, midnight(start), midnight(end), reason, observed_at)
    [change] = event.data.changes
    urn = str(Urn(PROVIDER, subject.type, subject.id))
    told = change.model_copy(update={"after": {**change.after, "entity": urn}})
    return event.model_copy(update={"id": f"{event.id}:{urn}", "data": event.data.model_copy(update={"changes": [told]})})


def gone(subject: Entity, told: Departure, observed_at: datetime) -> ObservedEvent:
    """A listed entity that is no longer there to tell its changes. TMDB gives no time."""
    return _event(subject, f"gone:{told.mark}", Change(key=ENTITY_KEY, action=Action.DELETED), observed_at, observed_at)


def back(subject: Entity, told: Departure, observed_at: datetime) -> ObservedEvent:
    """An entity whose deletion was published is there again."""
    return _event(subject, f"back:{told.mark}", Change(key=ENTITY_KEY, action=Action.CREATED), observed_at, observed_at)


def _event(
    subject: Entity, item_id: str, change: Change, time: datetime, observed_at: datetime, *, out_of_turn: bool = False
) -> ObservedEvent:
    urn = Urn(PROVIDER, subject.type, subject.id)
    return ObservedEvent(
        id=f"{urn}:{item_id}",
        source=source(PROVIDER),
        type=event_type(PROVIDER, subject.type, [change], change.action),
        subject=str(urn),
        time=time,
        data=ObservedData(
            provider=PROVIDER,
            entity=subject,
            action=change.action,
            changes=[change],
            out_of_turn=out_of_turn,
            observed_at=observed_at,
        ),
    )

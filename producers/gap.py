"""The event that says which time a provider no longer serves: a loss that is not ours is reported, never passed over."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.event import FEED_TYPE, GAP_KEY, Action, Change, Entity, ObservedData, ObservedEvent, event_type, source
from schemas.urn import Urn


def gap_event(provider: str, feed: str, start: datetime, end: datetime, reason: str, observed_at: datetime) -> ObservedEvent:
    """Changes from `start` to `end` that the feed does not give. Its id is the window's, so it is told once."""
    missing = {"from": _written(start), "to": _written(end), "reason": reason}
    change = Change(key=GAP_KEY, action=Action.CREATED, after=missing)
    entity = Entity(type=FEED_TYPE, native_type=FEED_TYPE, id=feed)
    urn = Urn(provider, entity.type, entity.id)
    return ObservedEvent(
        id=f"{urn}:{GAP_KEY}:{missing['from']}:{missing['to']}",
        source=source(provider),
        type=event_type(provider, entity.type, [change], change.action),
        subject=str(urn),
        time=observed_at,
        data=ObservedData(provider=provider, entity=entity, action=change.action, changes=[change], observed_at=observed_at),
    )


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

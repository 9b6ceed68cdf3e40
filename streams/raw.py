"""A record of the raw topic as an event, or why it is none. What stands in the topic may be anything: other programs can write there."""

from __future__ import annotations

import orjson
from pydantic import ValidationError

from runtime.amounts import amount
from schemas.event import GAP_KEY, OBSERVED_SCHEMA, ObservedEvent
from schemas.versions import newer_schema

LONGEST_NAME = 1_000
"""Characters of an id, subject, type or source. They stand in the keys and headers of all that is made of the event, which must
fit a record; the longest of a provider has 120."""


_READABLE = frozenset({OBSERVED_SCHEMA})
_CURRENT = f'"dataschema":"{OBSERVED_SCHEMA}"'.encode()
"""As this version writes it: such a record needs no parsing to see whether it is readable."""


class Unreadable(ValueError):
    """The record is no event. The message says why."""


def read(value: bytes | None) -> ObservedEvent:
    """Raises Unreadable."""
    if value is None:
        raise Unreadable("not an observed event: a record without a value")
    try:
        event = ObservedEvent.model_validate_json(value)
    except ValidationError as error:
        raise Unreadable(f"not an observed event: {amount(error.error_count(), 'error')}") from error
    for name in ("id", "subject", "type", "source"):
        if len(getattr(event, name)) > LONGEST_NAME:
            raise Unreadable(f"an event whose {name} has {len(getattr(event, name))} characters")
    return event


def newer(value: bytes | None) -> str | None:
    """The schema of an event that only a newer version of changecast can read; None for any other record."""
    if value is None or _CURRENT in value:
        return None
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return newer_schema(document, _READABLE) if isinstance(document, dict) else None


def told_at_ms(event: ObservedEvent) -> int:
    """When the feed says that it was. A time to come, which providers give now and then, must not make all that is known look old."""
    return int(min(event.time, event.data.observed_at).timestamp() * 1000)


def feed_time_ms(event: ObservedEvent) -> int:
    """How far the feed has come by what it says in this event; 0 for what does not stand at the feed's turn. A resync or a gap is of
    the time at which it was written; what was read ahead after an outage is newer than where the feed goes on, and reads some again."""
    if event.data.out_of_turn or event.data.resync or any(change.key == GAP_KEY for change in event.data.changes):
        return 0
    return told_at_ms(event)

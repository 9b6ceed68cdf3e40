"""When an entity that was read shows what its events tell of, and when it is looked at again.

A feed may name an entity before its routes show the change, and a cache may show one of before. With events at 12:00 and 12:20:

    12:00:05  first look         nothing differs, and the record's own time is older than the event
    12:01, 12:03, 12:10, 12:30   looked at again (`look_again`, counted from an event's time)
    12:20:05                     a new event: looked at once it has settled
      - a difference found       both events are published, the first carries it
      - none by 13:00            the event of 12:00 is published as unchanged, that of 12:20 waits on
    13:20                        so is the other one

A record whose own time (`lastUpdated`, `updated_at`) is not older than an event shows it at once. Pure: who asks is `pipeline.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from producers.interface import Fetched
from schemas.event import Action, ObservedEvent
from streams.snapshots import State

_DATE_STEP = timedelta(seconds=1)
"""A `Date` header counts whole seconds, and is cut down to them."""
_SHRUNK = 5
"""So many members or pictures at least must have gone for a look to be doubted."""
_AGAIN_UNSAID = timedelta(minutes=1)
"""A cache that does not say when it asks again is asked again after this."""


def _minutes(*numbers: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=number) for number in numbers)


@dataclass(frozen=True)
class Looks:
    """`again`: when an entity that shows no change is looked at again, after its event's time. `stale`: how long an answer that is older
    than the event or the snapshot is not taken. `shrunk`: pauses before the loss of more than half of an entity's members is believed."""

    again: tuple[timedelta, ...] = _minutes(1, 3, 10, 30, 60)
    stale: timedelta = timedelta(hours=1)
    shrunk: tuple[timedelta, ...] = _minutes(10, 60)

    @property
    def last(self) -> timedelta:
        return max(self.again, default=timedelta())

    def shows(self, state: State | Fetched, event: ObservedEvent) -> bool:
        """Whether the state holds what the event tells of, or was read so late that nothing more is to come."""
        if event.data.resync:
            return True
        if not _deletes(event) and state.updated_at is not None and state.updated_at >= event.time:
            return True
        return state.fetched_at + _DATE_STEP >= event.time + self.last

    def covers(self, state: State, event: ObservedEvent) -> bool:
        """Whether a stored state spares asking: by the same rule. A resync asks, and so does a deletion."""
        return not (event.data.resync or _deletes(event) or state.partial or state.deleted) and self.shows(state, event)

    def next_look(self, events: Iterable[ObservedEvent], now: datetime) -> datetime:
        """The first step of any of the waiting events that is still to come. Where all have passed, and a cache shows an older state,
        soon."""
        steps = (event.time + step for event in events for step in self.again)
        return min((step for step in steps if step > now), default=now + _AGAIN_UNSAID)


def is_stale(answer: Fetched, before: State | None, event: ObservedEvent) -> bool:
    """Whether the answer is of a time before the event, or before the snapshot."""
    known_at = event.time if before is None or before.deleted else max(event.time, before.fetched_at)
    return answer.fetched_at + _DATE_STEP < known_at


def fresh_at(answer: Fetched, now: datetime) -> datetime:
    """When an answer that came from a cache can be another one."""
    left = timedelta(seconds=answer.expires_in_s) if answer.expires_in_s else _AGAIN_UNSAID
    return now + max(left, timedelta(seconds=1))


def has_shrunk(before: State, after: State) -> bool:
    """Whether of one group of members, or of the pictures, more than half and at least five are gone. Lists have come incomplete without
    a sign when a provider was busy (thetvdb/v4-api#241)."""
    groups = [(before.members.get(key, {}), after.members.get(key, {})) for key in before.members]
    groups.append((before.images, after.images))
    for were, are in groups:
        gone = sum(key not in are for key in were)
        if gone >= _SHRUNK and gone > len(were) / 2:
            return True
    return False


def _deletes(event: ObservedEvent) -> bool:
    return event.data.action is Action.DELETED

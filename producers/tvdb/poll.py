"""The feed of updates: windows of a week at most from the cursor to now, and the last day read again once an hour.

TheTVDB's updates name a series and when it last changed, no more. A start that is too far back has been seen to give an
empty list for ever, so time is walked in weeks. A whole week without any series is passed, and reported as a gap:
a catalogue of that size does not stand still for a week.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from producers.gap import gap_event
from producers.interface import Page
from producers.tvdb.client import TvdbClient
from producers.tvdb.models import Update
from runtime.clock import Clock
from schemas.config import Tvdb
from schemas.cursor import Cursor
from schemas.event import Action, Entity, ObservedData, ObservedEvent, event_type, source
from schemas.urn import Urn

PROVIDER = "tvdb"
FEED = "updated"

WINDOW = timedelta(days=7)
"""The longest that TheTVDB answers for; it cuts what is longer."""
_SECOND = timedelta(seconds=1)
"""Windows share a second: whether their ends are inclusive is not documented."""
_EVENTS_A_PAGE = 500
"""A week comes in one answer, whatever its length. So many of its series go into one transaction."""


@dataclass(frozen=True)
class Position:
    """`read_to`: nothing before it is missing. `begun`: where the first start began; what is older is never reported.
    `reread_at`: when the last re-read began."""

    read_to: datetime
    begun: datetime
    reread_at: datetime

    def as_json(self) -> dict[str, Any]:
        return {"begun": self.begun.isoformat(), "reread_at": self.reread_at.isoformat()}

    @classmethod
    def of(cls, cursor: Cursor) -> Self:
        begun, reread_at = (datetime.fromisoformat(cursor.position[key]) for key in ("begun", "reread_at"))
        return cls(cursor.read_to, begun, reread_at)


class UpdatedFeed:
    """`updated`: one event for each series and time of its last update."""

    name = FEED

    def __init__(self, client: TvdbClient, settings: Tvdb, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock

    @property
    def interval_s(self) -> float:
        return self._settings.interval.total_seconds()

    async def poll(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        now = self._clock.now()
        if cursor is None:
            begun = first_since(self._settings.since, now)
            # kept before anything is asked: a first start that fails for a day still begins where it began
            cursor = self._cursor(Position(begun, begun, reread_at=now))
            yield Page((), cursor)
        position = Position.of(cursor)
        since, position = next_read(position, self._settings, now)
        for start, end in windows(since, now):
            answer = await self._client.updated(start, end)
            # no further than the provider's clock: ours may be ahead of it
            window_read = max(position.read_to, min(end, answer.date))
            pages = chunks(answer.updates, _EVENTS_A_PAGE)
            for number, updates in enumerate(pages, 1):
                last = number == len(pages)
                read_to = window_read if last else min(max(position.read_to, updates[-1].time), window_read)
                position = replace(position, read_to=read_to)
                events = tuple(observed(update, now) for update in updates)
                if not updates and end - start >= WINDOW:
                    events = (gap_event(PROVIDER, FEED, start, end, "no series is named for a whole week", now),)
                yield Page(events, self._cursor(position), answer.broken if last else ())

    def _cursor(self, position: Position) -> Cursor:
        return Cursor(
            provider=PROVIDER,
            feed=FEED,
            read_to=position.read_to,
            position=position.as_json(),
            saved_at=self._clock.now(),
        )


def first_since(since: timedelta | datetime, now: datetime) -> datetime:
    """Where a first start begins: at a time, or so far back from now."""
    return since if isinstance(since, datetime) else now - since


def next_read(position: Position, settings: Tvdb, now: datetime) -> tuple[datetime, Position]:
    """Where the next poll begins: an overlap before the last one's end; `reread` before now when a re-read is due."""
    since = position.read_to - settings.overlap
    if now - position.reread_at >= settings.reread_every:
        since = min(since, now - settings.reread)
        position = replace(position, reread_at=now)
    return max(since, position.begun), position


def windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The time from `since` to `until` in windows of a week at most, oldest first. One at least."""
    start = min(since, until)
    while True:
        end = min(start + WINDOW, until)
        yield start, end
        if end >= until:
            return
        start = end - _SECOND


def chunks(updates: Sequence[Update], size: int) -> list[Sequence[Update]]:
    """The updates in lists of `size` at most; one empty list where there is none."""
    return [updates[at : at + size] for at in range(0, len(updates), size)] or [()]


def observed(update: Update, observed_at: datetime) -> ObservedEvent:
    """The event of an update. New or changed is not said: both are `updated`."""
    urn = Urn(PROVIDER, "series", update.series_id)
    entity = Entity(type=urn.type, native_type=urn.type, id=urn.id)
    return ObservedEvent(
        id=f"{urn}:{update.last_updated}",
        source=source(PROVIDER),
        type=event_type(PROVIDER, urn.type, [], Action.UPDATED),
        subject=str(urn),
        time=update.time,
        data=ObservedData(provider=PROVIDER, entity=entity, action=Action.UPDATED, observed_at=observed_at),
    )

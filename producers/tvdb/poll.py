"""The feed of updates: windows of a week at most from the cursor to now, and the day before read again once an hour.

TheTVDB's updates name a series and when it last changed, no more. A start that is too far back has been seen to give an
empty list for ever, so time is walked in weeks. A whole week without any series is passed, and reported as a gap:
a catalogue of that size does not stand still for a week.

A walk of more than a week reads what is newest first, and again once an interval: a year is 52 requests, which take seconds or, on a
bad day, a quarter of an hour. No order is broken by it: a series is named once, in the week of its last update, so of one series
there is never an older entry left in the walk.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from producers.gap import gap_event
from producers.interface import Page
from producers.tvdb.client import TvdbClient
from producers.tvdb.models import Update
from runtime.clock import Clock
from runtime.http import BadResponse
from schemas.config import Tvdb
from schemas.cursor import Cursor
from schemas.event import Action, Entity, ObservedData, ObservedEvent, event_type, source
from schemas.urn import Urn

log = logging.getLogger(__name__)

PROVIDER = "tvdb"
FEED = "updated"

WINDOW = timedelta(days=7)
"""The longest that TheTVDB answers for; it cuts what is longer."""
_QUIET = timedelta(days=1)
"""On a day of 2026 some 1,900 series were updated. Where none is named for so long, another route must show that TheTVDB answers."""
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
        self._ahead_to: datetime | None = None  # what is newest has been read up to this, while the walk lasts

    @property
    def interval_s(self) -> float:
        return self._settings.interval.total_seconds()

    def reads_from(self, cursor: Cursor) -> datetime:
        return min(cursor.read_to - self._settings.overlap, Position.of(cursor).reread_at - self._settings.reread) - _SECOND

    async def poll(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        now = self._clock.now()
        if cursor is None:
            begun = first_since(self._settings.since, now)
            # kept before anything is asked: a first start that fails for a day still begins where it began
            cursor = self._cursor(Position(begun, begun, reread_at=now))
            yield Page((), cursor)
        position = Position.of(cursor)
        known_to, due = position.read_to, reread_is_due(position, self._settings, now)
        for start, end in windows(next_start(position, self._settings, due=due), now):
            if end < now:
                async for page in self._read_ahead(position):
                    yield page
            answer = await self._client.updated(start, end)
            if not answer.updates and end - start >= _QUIET:
                await self._client.probe()
            # no further than the provider's clock: ours may be ahead of it
            window_read = max(position.read_to, min(end, answer.date))
            pages = chunks(answer.updates, _EVENTS_A_PAGE)
            for number, updates in enumerate(pages, 1):
                last = number == len(pages)
                events = tuple(observed(update, now) for update in updates)
                if not updates and end - start >= WINDOW and end > position.read_to:
                    missing_from = max(start, position.read_to)
                    events = (gap_event(PROVIDER, FEED, missing_from, end, "no series is named for a whole week", now),)
                read_to = window_read if last else min(max(position.read_to, updates[-1].time), window_read)
                position = replace(position, read_to=read_to)
                if due and (end if last else updates[-1].time) >= known_to:
                    # only now: a re-read that is broken off is begun again
                    position = replace(position, reread_at=now)
                yield Page(events, self._cursor(position), answer.broken if last else ())
        self._ahead_to = None

    async def _read_ahead(self, position: Position) -> AsyncIterator[Page]:
        """What is newest, once an interval. The cursor stays the walk's, and what can't be read is left to the walk."""
        now, interval = self._clock.now(), self._settings.interval
        if now - (self._ahead_to or position.read_to) < interval:
            return
        since = max((self._ahead_to or now - interval) - self._settings.overlap, position.begun, now - WINDOW)
        try:
            answer = await self._client.updated(since, now)
        except BadResponse as problem:
            log.warning("tvdb:updated: what is newest can't be read ahead: %s; left to the walk for now", problem)
        else:
            for updates in chunks(answer.updates, _EVENTS_A_PAGE) if answer.updates else ():
                yield Page(tuple(observed(update, now, out_of_turn=True) for update in updates), self._cursor(position))
        self._ahead_to = now

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


def reread_is_due(position: Position, settings: Tvdb, now: datetime) -> bool:
    return now - position.reread_at >= settings.reread_every


def next_start(position: Position, settings: Tvdb, *, due: bool) -> datetime:
    """Where the next poll begins: an overlap before the last one's end, or with the re-read that is due. That reaches back from the
    last re-read, not from now: what came late since then is found however long nobody polled."""
    since = position.read_to - settings.overlap
    if due:
        since = min(since, position.reread_at - settings.reread)
    return max(since, position.begun)


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


def observed(update: Update, observed_at: datetime, *, out_of_turn: bool = False) -> ObservedEvent:
    """The event of an update. New or changed is not said: both are `updated`."""
    urn = Urn(PROVIDER, "series", update.series_id)
    entity = Entity(type=urn.type, native_type=urn.type, id=urn.id)
    return ObservedEvent(
        id=f"{urn}:{update.last_updated}",
        source=source(PROVIDER),
        type=event_type(PROVIDER, urn.type, [], Action.UPDATED),
        subject=str(urn),
        time=update.time,
        data=ObservedData(
            provider=PROVIDER, entity=entity, action=Action.UPDATED, out_of_turn=out_of_turn, observed_at=observed_at
        ),
    )

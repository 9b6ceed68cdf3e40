"""A feed of TMDB: movie, tv or person. The lists are read once an interval; the rest of it is spent asking those on them.

Order of asking: who was never asked, newest finds first; then, in turn, the days of an outage and those asked before. The cursor
is the time up to which nothing is missing. It moves only over what has been handed over and taken: memory is marked after each
page's `yield`, so a page that could not be written is read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from producers.interface import BrokenItem, Page
from producers.tmdb import events
from producers.tmdb.client import NotFound, Refusal, TmdbClient
from producers.tmdb.deletion import DeletionCheck
from producers.tmdb.departures import Departure
from producers.tmdb.descent import Found, Manner, find_changes
from producers.tmdb.faults import Outcomes
from producers.tmdb.lists import DayList, read_list, read_list_until_stable
from producers.tmdb.models import PROVIDER, SHARED_TYPE, Kind
from producers.tmdb.progress import Progress, days
from producers.tmdb.sweep import CLOSE_MARGIN, Listing
from producers.tmdb.windows import DAY, day_of, midnight, one_day, walk
from runtime.clock import Clock
from runtime.http import ProviderUnavailable
from schemas.config import Tmdb
from schemas.cursor import Cursor
from schemas.event import ObservedEvent

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 8
"""Entities asked at the same time: enough for 40 requests/s at TMDB's 100 to 200 ms an answer."""

PAGE_EVENTS = 500
"""Events in one transaction: at 2 KB each a megabyte."""

LATE_SHARE = 16
"""Of so many askings one is of closed days, as long as there are any: a second look at them takes hours, and loses nothing by it."""

CURSOR_EVERY_S = 5.0
"""How often the cursor moves within a poll. Each move is a transaction, and a sweep mostly brings nothing new."""

LOOKED_AT_AGAIN = timedelta(days=3)
"""So long before the overlap a day is still asked for: a whole day, once more when it was closed, and later where that failed."""

GIVE_UP_AFTER = timedelta(hours=24)
"""An entity that gives no readable answer for so long is reported as a gap: it would hold the cursor for ever."""

GONE_AFTER = timedelta(minutes=15)
"""A listed entity that is not found is deleted when it is still not found then: a new one may not be everywhere at once."""


@dataclass(frozen=True)
class Asked:
    """All changes up to `reached` are in `found`; None where the first window failed already."""

    listing: Listing
    found: Found
    reached: datetime | None
    given_up: bool


class ChangesFeed:
    """One of TMDB's lists of changes. `watched` ids are asked without reading the list; None reads it."""

    def __init__(
        self, client: TmdbClient, kind: Kind, settings: Tmdb, clock: Clock, watched: Sequence[int] | None = None
    ) -> None:
        self.name: str = kind
        self.reads_range = False
        self._client = client
        self._kind: Kind = kind
        self._settings = settings
        self._clock = clock
        self._watched = watched
        self._progress: Progress | None = None
        self._written: Cursor | None = None
        self._offered: Cursor | None = None
        self._moved_at = float("-inf")
        self._deletion = DeletionCheck(client, kind, clock)

    def _now(self) -> datetime:
        """TMDB's clock, which decides when a day is over; a range of the past is read with a clock that stands at its end."""
        return self._clock.now() if self.reads_range else self._client.now()

    @property
    def interval_s(self) -> float:
        return self._settings.interval.total_seconds()

    def statistics(self) -> dict[str, float]:
        """Entities known, never asked and failing; days of an outage still to be walked; the sweep's age in seconds."""
        progress = self._progress
        if progress is None:
            return {}
        return {
            "listed": len(progress.sweep),
            "fresh": len(progress.sweep.fresh(progress.recent)),
            "failing": len(progress.sweep.failing()),
            "days_behind": (progress.recent - progress.walk).days,
            "sweep_age_s": (self._now() - progress.read_to).total_seconds(),
        }

    def reads_from(self, cursor: Cursor) -> datetime:
        return cursor.read_to - self._settings.overlap - LOOKED_AT_AGAIN

    async def poll(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        progress = self._resume(cursor)
        async for page in self._poll(progress):
            yield page
            self._written = page.cursor

    def _resume(self, cursor: Cursor | None) -> Progress:
        """The memory of the last poll, or a new one where it does not belong to this cursor."""
        if self._progress is None or cursor not in (self._written, self._offered):
            overlap = self._settings.overlap
            if cursor is None:
                self._progress = Progress.first(self.name, self._settings.since, self._now(), overlap)
            else:
                self._progress = Progress.after(cursor, overlap)
        self._written = self._offered = cursor
        self._progress.there &= set(self._watched or ())
        return self._progress

    async def _poll(self, progress: Progress) -> AsyncIterator[Page]:
        started = self._clock.monotonic()
        if self._written is None:
            # where the first start began must last, also when TMDB can't be reached for the next three days
            yield self._page(progress, [], [])
        async for page in self._read_lists(progress):
            yield page
        sweep, outcomes, since_late = progress.sweep, Outcomes(), 0
        fresh, turn, walk_next = deque(sweep.fresh(progress.recent)), deque(sweep.turn()), True
        late = deque(sweep.late(self._now()))
        while fresh or turn or late or progress.behind:
            if late and (since_late >= LATE_SHARE or not (fresh or turn or progress.behind)):
                since_late = 0
                async for page in self._look_late(progress, [late.popleft() for _ in range(min(SIDE_BY_SIDE, len(late)))]):
                    yield page
                if self._clock.monotonic() - started >= self.interval_s:
                    break
                continue
            since_late += 1
            walking = not fresh and progress.behind and (walk_next or not turn)
            if walking:
                async for page in self._list_walked_day(progress):
                    yield page
            waiting = fresh or (progress.walking if walking else turn)
            chunk = list(islice(waiting, SIDE_BY_SIDE))
            walk_next = not walking
            asked = await self._ask_side_by_side(chunk, first_window_only=walking)
            for page in self._pages(progress, asked):
                yield page
            self._mark(progress, asked, outcomes)
            # only now: of the walked day, whoever is not asked, or not written, must be there for the next poll
            for _ in chunk:
                waiting.popleft()
            progress.day_walked()
            outcomes.raise_if_away()
            if self._clock.monotonic() - started >= self.interval_s:
                break
        outcomes.raise_if_none_answered()
        sweep.forget(before=progress.walk)
        self._moved_at = float("-inf")
        yield self._page(progress, [], [])

    async def _read_lists(self, progress: Progress) -> AsyncIterator[Page]:
        now = self._now()
        progress.turn_to(now)
        if self._watched is not None:
            progress.skip_walk()
            progress.sweep.listed(day_of(now), self._watched)
            progress.listed_at = now
            return
        complete = True
        for day in days(progress.recent, day_of(now)):
            found = await read_list(self._client, self._kind, day)
            for page in self._list_pages(progress, found):
                yield page
            progress.sweep.listed(day, list(found.ids))
            progress.missing |= found.missing
            complete = progress.list_read(day, now, complete=found.complete) and complete
            if complete and not found.complete:
                yield self._page(progress, [self._list_gap(day)], [])
        if complete:
            progress.listed_at = now

    async def _list_walked_day(self, progress: Progress) -> AsyncIterator[Page]:
        """Read the list of the day that is walked, unless that is done. A day that TMDB does not give is a gap."""
        if progress.walk_listed:
            return
        day = progress.walk
        try:
            found = await read_list_until_stable(self._client, self._kind, day)
        except Refusal as refusal:
            log.warning("tmdb:%s: changes of %s are unavailable: %s", self.name, day, refusal)
            yield self._page(progress, [events.day_gap(self._kind, day, str(refusal), self._now())], [])
            found = DayList(day)
        for page in self._list_pages(progress, found):
            yield page
        if not progress.list_read(day, self._now(), complete=found.complete):
            raise ProviderUnavailable(f"tmdb:{self.name}: the list of {day} has pages that can't be read")
        if not found.complete:
            yield self._page(progress, [self._list_gap(day)], [])
        progress.day_listed(found)

    def _list_gap(self, day: date) -> ObservedEvent:
        reason = "pages of its list could not be read for a day"
        log.error("tmdb:%s: %s: %s; what they name is missing", self.name, day, reason)
        return events.day_gap(self._kind, day, reason, self._now())

    def _list_pages(self, progress: Progress, found: DayList) -> Iterator[Page]:
        told: list[ObservedEvent] = []
        if found.cut:
            reason = "more changed than TMDB's 500 pages hold"
            log.warning("tmdb:%s: %s: %s", self.name, found.day, reason)
            told.append(events.day_gap(self._kind, found.day, reason, self._now()))
        broken = [item.of(found.day) for item in found.broken]
        if told or broken:
            yield self._page(progress, told, broken)

    async def _look_late(self, progress: Progress, chunk: list[Listing]) -> AsyncIterator[Page]:
        """Ask entities of closed days once more. What can't be read stays to be asked in the next poll."""
        manner = Manner(closing=True)
        looks = [
            find_changes(self._client, self._kind, listing.id, one_day(listing.late_day or listing.day), manner)
            for listing in chunk
        ]
        found = await asyncio.gather(*looks)
        asked = [Asked(listing, each, None, given_up=False) for listing, each in zip(chunk, found, strict=True)]
        for page in self._pages(progress, asked):
            yield page
        for answer in asked:
            if answer.found.problem is None or isinstance(answer.found.problem, NotFound):
                progress.sweep.asked_late(answer.listing, answer.found.as_of or self._now())

    async def _ask_side_by_side(self, chunk: list[Listing], *, first_window_only: bool) -> list[Asked]:
        asking = (self._ask(listing, first_window_only=first_window_only) for listing in chunk)
        answers = await asyncio.gather(*asking, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if isinstance(answer, Asked)]

    async def _ask(self, listing: Listing, *, first_window_only: bool) -> Asked:
        """The entity's changes from where it was last asked, up to now or for one window."""
        now = self._now()
        found, reached = Found(), None
        closing = listing.day < day_of(now - CLOSE_MARGIN)
        patient = listing.failing_since is None or now - listing.failing_since < GONE_AFTER
        manner = Manner(closing=closing, patient=patient, held=listing.held)
        for window in walk(listing.start, day_of(now) + DAY):
            part = await find_changes(self._client, self._kind, listing.id, window, manner)
            found.add(part)
            if part.problem is not None:
                break
            # an answer that a cache kept tells nothing of what came since
            reached = min(now, part.as_of or now, midnight(window.end))
            if first_window_only:
                break
        subject = events.entity(SHARED_TYPE[self._kind], listing.id)
        if isinstance(found.problem, NotFound):
            self._deletion.not_found(subject)
        elif reached is not None:
            self._deletion.found(subject)
        given_up = self._out_of_patience(listing, found, now)
        if given_up and self._leaves(listing, found):
            marked = self._progress is not None and listing.id in self._progress.missing
            given_up = await self._deletion.is_gone(subject, listing.failing_since or now, marked=marked)
        return Asked(listing, found, reached, given_up)

    def _leaves(self, listing: Listing, found: Found) -> bool:
        """Whether it would be published as deleted now."""
        is_new = self._expected(listing) and self._departed(listing) is None
        return isinstance(found.problem, NotFound) and is_new and not self.reads_range

    def _departed(self, listing: Listing) -> Departure | None:
        """The deletion that was published of it, while it has not been found again."""
        return None if self._progress is None else self._progress.departures.told(listing.id)

    def _out_of_patience(self, listing: Listing, found: Found, now: datetime) -> bool:
        """Its trouble has lasted long enough to be published, or is known already: it is not waited for any longer."""
        if isinstance(found.problem, NotFound) and not self._leaves(listing, found):
            return True
        patience = GONE_AFTER if isinstance(found.problem, NotFound) else GIVE_UP_AFTER
        return found.problem is not None and listing.failing_since is not None and now - listing.failing_since >= patience

    def _expected(self, listing: Listing) -> bool:
        """Whether it is known to have been there: TMDB's lists name what is or was, while a watched id may never have been."""
        return self._watched is None or (self._progress is not None and listing.id in self._progress.there)

    def _pages(self, progress: Progress, asked: list[Asked]) -> Iterator[Page]:
        now = self._now()
        told: list[ObservedEvent] = []
        broken: list[BrokenItem] = []
        for answer in asked:
            changes = answer.found.changes
            told += [
                events.observed(subject, item, now, out_of_turn=progress.ahead(item.time))
                for subject, item in changes
                if item.time >= progress.begun
            ]
            broken += [item.of(answer.listing.id) for item in answer.found.broken]
            if answer.found.problem is None and (departed := progress.departures.told(answer.listing.id)) is not None:
                told.append(events.back(events.entity(SHARED_TYPE[self._kind], answer.listing.id), departed, now))
            if answer.given_up:
                told += self._parting(answer, now)
        for start in range(0, len(told), PAGE_EVENTS):
            yield self._page(progress, told[start : start + PAGE_EVENTS], [])
        if broken:
            yield self._page(progress, [], broken)

    def _mark(self, progress: Progress, asked: list[Asked], outcomes: Outcomes) -> None:
        """The pages were written: remember what they hold, and who is to be asked again."""
        now = self._now()
        for answer in asked:
            listing, problem = answer.listing, answer.found.problem
            failing_since, was_failing = listing.failing_since or now, listing.failing_since is not None
            if problem is None:
                progress.departures.came_back(listing.id)
            if answer.given_up:
                if self._leaves(listing, answer.found):
                    progress.departures.left(listing.id, progress.departures.next(listing.id, listing.first_day))
                progress.sweep.answered(listing, now)
            elif answer.reached is not None:
                progress.sweep.answered(listing, answer.reached)
            listing.held = frozenset(answer.found.held)
            if problem is not None and not answer.given_up:
                # a new entity is often not found everywhere at first
                level = logging.INFO if isinstance(problem, NotFound) else logging.WARNING
                log.log(level, "tmdb:%s %d: %s; it is asked again", self.name, listing.id, problem)
                progress.sweep.failed(listing, failing_since)
            if self._watched is not None:
                _note_whether_there(progress.there, answer)
            outcomes.add(None if answer.found.changes else problem, was_failing=was_failing)

    def _parting(self, answer: Asked, now: datetime) -> list[ObservedEvent]:
        """What is told of an entity that is not waited for any longer: that it is gone, or what is missing of it."""
        listing, problem = answer.listing, answer.found.problem
        subject = events.entity(SHARED_TYPE[self._kind], listing.id)
        if isinstance(problem, NotFound):
            if self._leaves(listing, answer.found) and self._progress is not None:
                return [events.gone(subject, self._progress.departures.next(listing.id, listing.first_day), now)]
            if listing.asked_at is None and self._watched is not None:
                log.warning("tmdb: %s %d is watched, and not found", self.name, listing.id)
            return []
        urn = f"{PROVIDER}:{subject.type}:{subject.id}"
        log.error("tmdb: %s has given no readable answer for a day; its changes since %s are missing", urn, listing.start)
        return [events.entity_gap(self._kind, subject, listing.start, day_of(now) + DAY, str(problem), now)]

    def _page(self, progress: Progress, told: list[ObservedEvent], broken: list[BrokenItem]) -> Page:
        return Page(tuple(told), self._cursor(progress), tuple(broken))

    def _cursor(self, progress: Progress) -> Cursor:
        """The cursor after all that has been taken; the last one again when that moved a moment ago."""
        monotonic = self._clock.monotonic()
        if self._offered is None or monotonic - self._moved_at >= CURSOR_EVERY_S:
            self._moved_at = monotonic
            self._offered = progress.cursor(self._now())
        return self._offered


def _note_whether_there(there: set[int], answer: Asked) -> None:
    if answer.found.problem is None:
        there.add(answer.listing.id)
    elif answer.given_up and isinstance(answer.found.problem, NotFound):
        there.discard(answer.listing.id)

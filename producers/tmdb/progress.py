"""How far a feed has been read: what its memory holds, and the cursor that says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from producers.tmdb.departures import Departures
from producers.tmdb.lists import DayList
from producers.tmdb.models import PROVIDER
from producers.tmdb.sweep import Listing, Sweep
from producers.tmdb.windows import DAY, day_of, midnight
from schemas.cursor import Cursor

FAILING_KEPT = 1_000
"""Entities whose failing is kept with the cursor: more than fail while others answer."""

LIST_PATIENCE = timedelta(hours=24)
"""A list with a page that can't be read for so long is a gap: it would hold the cursor for ever."""


class Progress:
    """The days from `recent` on have their lists read at every poll. Those from `walk` up to it, if any, are an outage's or just
    over: they are walked one by one, and `walking` holds who is still to be asked of the day at `walk`.

    `begun`: where the first start began; what is older is never reported. `listed_at`: when the recent lists were last read.
    `there`: the watched ids that were found when they were last asked for. `missing`: listed ids that TMDB marks as no longer existing.

    Since when entities fail and lists can't be read is kept in the cursor: a restart must not begin the wait again.
    """

    def __init__(
        self,
        feed: str,
        begun: datetime,
        read_to: datetime,
        overlap: timedelta,
        there: Iterable[int] = (),
        departures: Departures | None = None,
        failing: Mapping[int, datetime] | None = None,
        unreadable: Mapping[date, datetime] | None = None,
    ) -> None:
        self.feed = feed
        self.begun = begun
        self.read_to = read_to
        self.walk = self.recent = day_of(max(read_to - overlap, begun))
        self.walking: deque[Listing] = deque()
        self.walk_listed = False
        self.listed_at: datetime | None = None
        self.there = set(there)
        self.missing: set[int] = set()
        self.departures = departures or Departures()
        self.sweep = Sweep(floor=self.walk, failing=failing or {})
        self._unreadable = dict(unreadable or {})
        self._overlap = overlap
        self._cursor: Cursor | None = None

    @classmethod
    def first(cls, feed: str, since: timedelta | datetime, now: datetime, overlap: timedelta) -> Progress:
        begun = first_since(since, now)
        return cls(feed, begun, begun, overlap)

    @classmethod
    def after(cls, cursor: Cursor, overlap: timedelta) -> Progress:
        position = cursor.position
        begun = datetime.fromisoformat(position["begun"]) if "begun" in position else cursor.read_to
        departures = Departures(position.get("departures", ()))
        failing = {int(entity_id): datetime.fromisoformat(since) for entity_id, since in position.get("failing", {}).items()}
        unreadable = {
            date.fromisoformat(day): datetime.fromisoformat(since) for day, since in position.get("unreadable_lists", {}).items()
        }
        there = position.get("there", ())
        progress = cls(cursor.feed, begun, cursor.read_to, overlap, there, departures, failing, unreadable)
        progress._cursor = cursor
        return progress

    @property
    def behind(self) -> bool:
        """There are days to be walked."""
        return self.walk < self.recent

    def ahead(self, moment: datetime) -> bool:
        """Whether what happened then is newer than the day that is walked. It is told out of turn: what is walked must not look old."""
        return self.behind and moment >= midnight(self.walk + DAY)

    def turn_to(self, now: datetime) -> None:
        """A new poll: the days that count as recent move on with the time."""
        self.recent = max(self.walk, day_of(now - self._overlap))

    def skip_walk(self) -> None:
        """Nothing is to be walked: watched ids are asked from where each was last asked, however long ago."""
        self.walk = self.recent

    def day_listed(self, found: DayList) -> None:
        """Take in the list of the day at `walk`."""
        self.walking = deque(self.sweep.listed(self.walk, list(found.ids)))
        self.missing |= found.missing
        self.walk_listed = True

    def list_read(self, day: date, now: datetime, *, complete: bool) -> bool:
        """A day's list was read. Whether it counts as read: also one that has had a page for `LIST_PATIENCE` that can't be read, and that
        is a gap then."""
        self._unreadable = {known: since for known, since in self._unreadable.items() if known >= self.walk}
        if complete:
            self._unreadable.pop(day, None)
            return True
        return now - self._unreadable.setdefault(day, now) >= LIST_PATIENCE

    def day_walked(self) -> None:
        """Go on to the next day when all of this one have been asked."""
        if self.walk_listed and not self.walking:
            self.walk, self.walk_listed = self.walk + DAY, False

    def cursor(self, saved_at: datetime) -> Cursor:
        """The cursor after all that was marked; the same object as before where it has not moved."""
        if self.listed_at is not None:
            bounds = [self.listed_at, self.sweep.read_to() or self.listed_at]
            if self.behind:
                bounds.append(midnight(self.walk))
            # never back: a day that is walked because it is over was read while it lasted
            self.read_to = max(self.read_to, min(bounds))
        position: dict[str, Any] = {"begun": self.begun.isoformat()}
        if self.there:
            position["there"] = sorted(self.there)
        if failing := self.sweep.failing():
            position["failing"] = {
                str(entity_id): since.isoformat() for entity_id, since in islice(failing.items(), FAILING_KEPT)
            }
        if self._unreadable:
            position["unreadable_lists"] = {day.isoformat(): since.isoformat() for day, since in self._unreadable.items()}
        if departures := self.departures.as_json():
            position["departures"] = departures
        if self._cursor is None or (self._cursor.read_to, self._cursor.position) != (self.read_to, position):
            self._cursor = Cursor(provider=PROVIDER, feed=self.feed, read_to=self.read_to, position=position, saved_at=saved_at)
        return self._cursor


def first_since(since: timedelta | datetime, now: datetime) -> datetime:
    """Where a first start begins: at a time (in UTC unless it says otherwise), or so far back from now."""
    if isinstance(since, timedelta):
        return now - since
    return since.astimezone(UTC) if since.tzinfo else since.replace(tzinfo=UTC)


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]

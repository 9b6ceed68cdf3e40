"""Whom to ask next, and up to when nothing is missing.

TMDB's lists say which entities changed on a day, not when. So an entity is asked again and again while the day lasts, and
once more when it is over. All of it is in memory: after a restart everything of the days that count is read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType

from producers.tmdb.windows import day_of, midnight

CLOSE_MARGIN = timedelta(minutes=10)
"""A day counts as read when asked for this long after its end: TMDB's replicas and caches lag, and clocks differ."""


LATE_AFTER = timedelta(hours=6)
"""An entity of a closed day is asked once more this long after the day's end: items have shown up after it was closed."""


@dataclass(slots=True)
class Listing:
    """An entity of the lists. All its changes before `start` have been handed over.

    `day` is the newest day on which it was listed, `first_day` the oldest that is known; `found` counts up, so the newest finds have the
    highest, and of one list its last. `asked_at` is when it last answered, None before it ever did; `failing_since` is set while it does
    not. `late_day` is the oldest closed day for which it is to be asked once more. `held`: ids of pointers that are held back.
    """

    id: int
    day: date
    start: date
    found: int
    first_day: date
    asked_at: datetime | None = None
    failing_since: datetime | None = None
    late_day: date | None = None
    held: frozenset[str] = frozenset()

    @property
    def due(self) -> bool:
        """There may be changes of a listed day that it has not been asked for."""
        return self.start <= self.day

    def late_at(self, after: timedelta) -> datetime | None:
        """When it is to be asked for `late_day`."""
        return None if self.late_day is None else midnight(self.late_day) + timedelta(days=1) + after

    @property
    def read_to(self) -> datetime:
        """Nothing before this is missing."""
        return midnight(self.start) if self.asked_at is None else self.asked_at


_NONE: Mapping[int, datetime] = MappingProxyType({})


class Sweep:
    """The entities of one feed. `floor`: an entity that was never listed is asked from this day on. `late_after`: how long after its end a
    closed day's entities are asked once more. `failing`: since when entities failed before a restart."""

    def __init__(self, floor: date, late_after: timedelta = LATE_AFTER, failing: Mapping[int, datetime] = _NONE) -> None:
        self.floor = floor
        self._failed_before = failing
        self._late_after = late_after
        self._listings: dict[int, Listing] = {}
        self._found = 0

    def __len__(self) -> int:
        return len(self._listings)

    def listed(self, day: date, ids: Sequence[int]) -> list[Listing]:
        """Take in a day's list. Returns those on it that are due, each once.

        TMDB's lists are oldest first, by an entity's first edit of the day (inferred from recordings of 2026). After a restart the whole
        day is new here, and this order is all that tells what is newest.
        """
        for entity_id in ids:
            if entity_id not in self._listings:
                self._found += 1
                listing = Listing(entity_id, day, min(self.floor, day), self._found, day)
                listing.failing_since = self._failed_before.get(entity_id)
                self._listings[entity_id] = listing
        due: dict[int, Listing] = {}
        for entity_id in ids:
            listing = self._listings[entity_id]
            listing.day, listing.first_day = max(listing.day, day), min(listing.first_day, day)
            if listing.start <= day:
                due[entity_id] = listing
        return list(due.values())

    def fresh(self, since: date) -> list[Listing]:
        """Those never asked that were listed on this day or later: what was found last comes first."""
        waiting = [
            listing
            for listing in self._listings.values()
            if listing.asked_at is None and listing.day >= since and listing.failing_since is None
        ]
        return sorted(waiting, key=lambda listing: -listing.found)

    def turn(self) -> list[Listing]:
        """Those to be asked again, the one that has waited longest first. What fails comes behind all that answers."""
        waiting = [
            listing
            for listing in self._listings.values()
            if listing.due and (listing.asked_at is not None or listing.failing_since is not None)
        ]
        return sorted(waiting, key=lambda listing: (listing.failing_since is not None, listing.read_to, listing.found))

    def late(self, now: datetime) -> list[Listing]:
        """Those of closed days that are to be asked once more, the oldest day first. They hold no cursor: it is a second look."""
        waiting = [
            listing for listing in self._listings.values() if (at := listing.late_at(self._late_after)) is not None and at <= now
        ]
        return sorted(waiting, key=lambda listing: (listing.late_day or listing.day, listing.found))

    def answered(self, listing: Listing, asked_at: datetime) -> None:
        """All its changes up to `asked_at` have been handed over."""
        began, listing.asked_at = listing.start, asked_at
        listing.start = max(listing.start, day_of(asked_at - CLOSE_MARGIN))
        listing.failing_since = None
        if listing.start > began and listing.late_day is None:
            listing.late_day = max(began, listing.start - timedelta(days=1))
        if listing.late_day is not None and began <= listing.late_day:
            self.asked_late(listing, asked_at)

    def asked_late(self, listing: Listing, asked_at: datetime) -> None:
        """It was asked for its closed day. Nothing is owed for it any more when that was late enough."""
        at = listing.late_at(self._late_after)
        if at is not None and asked_at >= at:
            listing.late_day = None

    def failed(self, listing: Listing, since: datetime) -> None:
        listing.failing_since = listing.failing_since or since

    def failing(self) -> dict[int, datetime]:
        """Since when those fail that do, the longest first."""
        since = {listing.id: listing.failing_since for listing in self._listings.values() if listing.failing_since is not None}
        return dict(sorted(since.items(), key=lambda one: one[1]))

    def forget(self, before: date) -> None:
        """Drop those last listed before this day to whom nothing is owed, and who would be asked from there anyway."""
        self.floor = max(self.floor, before)
        self._listings = {
            entity_id: listing
            for entity_id, listing in self._listings.items()
            if listing.due or listing.late_day is not None or listing.day >= before or listing.start > self.floor
        }

    def read_to(self) -> datetime | None:
        """Up to when nothing of those listed is missing; None where nothing is owed."""
        return min((listing.read_to for listing in self._listings.values() if listing.due), default=None)

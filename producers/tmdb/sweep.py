"""Whom to ask next, and up to when nothing is missing.

TMDB's lists say which entities changed on a day, not when. So an entity is asked again and again while the day lasts, and
once more when it is over. All of it is in memory: after a restart everything of the days that count is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from producers.tmdb.windows import day_of, midnight

CLOSE_MARGIN = timedelta(minutes=10)
"""A day counts as read when asked for this long after its end: TMDB's replicas and caches lag, and clocks differ."""


@dataclass(slots=True)
class Listing:
    """An entity of the lists. All its changes before `start` have been handed over.

    `day` is the newest day on which it was listed, `first_day` the oldest that is known; `found` counts up, so the newest finds have the
    highest, and of one list its first. `asked_at` is when it last answered, None before it ever did; `failing_since` is set while it does
    not.
    """

    id: int
    day: date
    start: date
    found: int
    first_day: date
    asked_at: datetime | None = None
    failing_since: datetime | None = None

    @property
    def due(self) -> bool:
        """There may be changes of a listed day that it has not been asked for."""
        return self.start <= self.day

    @property
    def read_to(self) -> datetime:
        """Nothing before this is missing."""
        return midnight(self.start) if self.asked_at is None else self.asked_at


class Sweep:
    """The entities of one feed. `floor`: an entity that was never listed is asked from this day on."""

    def __init__(self, floor: date) -> None:
        self.floor = floor
        self._listings: dict[int, Listing] = {}
        self._found = 0

    def __len__(self) -> int:
        return len(self._listings)

    def listed(self, day: date, ids: Sequence[int]) -> list[Listing]:
        """Take in a day's list. Returns those on it that are due, each once.

        TMDB's lists begin with what changed last: not documented, but recorded lists begin with the ids that were made last. After
        a restart the whole day is new here, and this order is all that tells what is newest.
        """
        for entity_id in reversed(ids):
            if entity_id not in self._listings:
                self._found += 1
                self._listings[entity_id] = Listing(entity_id, day, min(self.floor, day), self._found, day)
        due: dict[int, Listing] = {}
        for entity_id in ids:
            listing = self._listings[entity_id]
            listing.day, listing.first_day = max(listing.day, day), min(listing.first_day, day)
            if listing.start <= day:
                due[entity_id] = listing
        return list(due.values())

    def fresh(self, since: date) -> list[Listing]:
        """Those never asked, listed on this day or later, or failing: what was found last comes first, what fails comes last."""
        waiting = [
            listing
            for listing in self._listings.values()
            if listing.asked_at is None and (listing.day >= since or listing.failing_since is not None)
        ]
        return sorted(waiting, key=lambda listing: (listing.failing_since is not None, -listing.found))

    def turn(self) -> list[Listing]:
        """Those to be asked again, the one that has waited longest first; what fails comes last."""
        waiting = [listing for listing in self._listings.values() if listing.due and listing.asked_at is not None]
        return sorted(waiting, key=lambda listing: (listing.failing_since is not None, listing.read_to))

    def answered(self, listing: Listing, asked_at: datetime) -> None:
        """All its changes up to `asked_at` have been handed over."""
        listing.asked_at = asked_at
        listing.start = max(listing.start, day_of(asked_at - CLOSE_MARGIN))
        listing.failing_since = None

    def failed(self, listing: Listing, since: datetime) -> None:
        listing.failing_since = listing.failing_since or since

    def failing(self) -> int:
        return sum(listing.failing_since is not None for listing in self._listings.values())

    def forget(self, before: date) -> None:
        """Drop those last listed before this day to whom nothing is owed, and who would be asked from there anyway."""
        self.floor = max(self.floor, before)
        self._listings = {
            entity_id: listing
            for entity_id, listing in self._listings.items()
            if listing.due or listing.day >= before or listing.start > self.floor
        }

    def read_to(self) -> datetime | None:
        """Up to when nothing of those listed is missing; None where nothing is owed."""
        return min((listing.read_to for listing in self._listings.values() if listing.due), default=None)

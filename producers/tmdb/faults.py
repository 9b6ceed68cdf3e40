"""What a poll remembers of trouble: who fails, and what has been set aside already."""

from __future__ import annotations

from collections.abc import Iterable

from producers.interface import BrokenItem
from runtime.http import ProviderUnavailable

AWAY_AFTER = 8
"""Entities in a row that begin to fail for TMDB as a whole to count as away; fewer may each be ill by itself. Those that have failed for
longer say nothing of the others."""

_SET_ASIDE_LIMIT = 10_000


class Outcomes:
    """Tells an entity that fails from a provider that is away."""

    def __init__(self) -> None:
        self._answered = 0
        self._failed_in_a_row = 0
        self._last: ProviderUnavailable | None = None

    def add(self, problem: Exception | None, *, was_failing: bool = False) -> None:
        """How asking an entity ended. `was_failing`: it failed before."""
        if isinstance(problem, ProviderUnavailable):
            if was_failing:
                return
            self._failed_in_a_row += 1
            self._last = problem
        else:
            self._answered += 1
            self._failed_in_a_row = 0

    def raise_if_away(self) -> None:
        if self._last is not None and self._failed_in_a_row >= AWAY_AFTER:
            raise self._last

    def raise_if_none_answered(self) -> None:
        if self._last is not None and not self._answered:
            raise self._last


class SetAside:
    """Broken items that this process has sent to the dead topic, so that not each sweep sends them anew. Forgets the oldest."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], None] = {}
        self._offered: dict[tuple[object, ...], BrokenItem] = {}

    def new(self, context: object, broken: Iterable[BrokenItem]) -> list[BrokenItem]:
        """Those of `context` (an entity, a day's list) that were not there yet. They are remembered by `written`."""
        found = []
        for item in broken:
            # a page that can't be read may differ each time, by the id of the request on it
            key = (context, item.reason, b"" if item.reason == "bad-response" else item.body)
            if key not in self._known and key not in self._offered:
                self._offered[key] = item
                found.append(item)
        return found

    def written(self, broken: Iterable[BrokenItem]) -> None:
        """Two entities may have given the same bytes: they were offered apart, and are written once or twice alike."""
        gone = set(broken)
        for key in [key for key, item in self._offered.items() if item in gone]:
            del self._offered[key]
            self._known[key] = None
        while len(self._known) > _SET_ASIDE_LIMIT:
            del self._known[next(iter(self._known))]

    def forget_offered(self) -> None:
        """What was offered and not written is offered again."""
        self._offered.clear()

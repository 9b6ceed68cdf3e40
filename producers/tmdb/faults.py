"""What a poll remembers of trouble: who fails."""

from __future__ import annotations

from runtime.http import ProviderUnavailable

AWAY_AFTER = 8
"""Entities in a row that begin to fail for TMDB as a whole to count as away; fewer may each be ill by itself. Those that have failed for
longer say nothing of the others."""


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

"""How long things took, counted in buckets. The client's own class takes a lock for each value; here a value is two additions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
"""From a receiver next door to the time-out of a delivery and of a provider's answer."""
_NAMES = (*(str(bound) for bound in BOUNDS_S), "+Inf")


class Histogram:
    """Seconds, counted in one thread."""

    def __init__(self) -> None:
        self._counts = [0] * len(_NAMES)
        self.sum = 0.0

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self._counts)

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum += seconds

    def add(self, others: Iterable[Histogram]) -> Histogram:
        for other in others:
            self._counts = [mine + more for mine, more in zip(self._counts, other._counts, strict=True)]
            self.sum += other.sum
        return self

    def buckets(self) -> list[tuple[str, float]]:
        """Each bound with how many took no longer; the last is `+Inf`."""
        total, found = 0, []
        for name, count in zip(_NAMES, self._counts, strict=True):
            total += count
            found.append((name, float(total)))
        return found

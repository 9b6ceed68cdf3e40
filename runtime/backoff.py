"""How long to wait before trying again: exponential, with full jitter."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Backoff:
    """`first` s, doubled each time up to `longest` s; the delay is drawn evenly below that, so that many clients spread out."""

    first: float = 0.5
    longest: float = 30.0

    def delay(self, attempt: int, random: Random) -> float:
        """Seconds before attempt `attempt` + 1, where attempts count from 1."""
        ceiling = min(self.longest, self.first * 2.0 ** min(attempt - 1, 30))
        return random.uniform(0, ceiling)

"""When a delivery is tried again: a pure policy. Time and chance are arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.config import Delivery

RETRY_AFTER_STATUSES = frozenset({429, 503})
"""Retry-After is defined for others too; on these it says when to come back."""


@dataclass(frozen=True)
class RetryPolicy:
    """`schedule`: the waits after the first, second, … attempt, in seconds: N of them make N + 1 attempts."""

    schedule: Sequence[float]
    jitter: float = 0.1
    retry_after_limit: float = 36_000.0
    """As long as the schedule's sixth step: no receiver can park a delivery for longer than we would."""

    @classmethod
    def of(cls, settings: Delivery) -> RetryPolicy:
        return cls(
            tuple(step.total_seconds() for step in settings.retry_schedule),
            settings.jitter,
            settings.retry_after_limit.total_seconds(),
        )

    @property
    def attempts(self) -> int:
        return len(self.schedule) + 1

    def wait(self, attempts: int, chance: float, retry_after: float | None = None) -> float | None:
        """Seconds until the next attempt, after `attempts` failed ones; None after the last. `chance` is drawn from 0 to 1.
        Jitter is added, never subtracted; Retry-After counts where it is later."""
        if attempts >= self.attempts:
            return None
        step = self.schedule[attempts - 1]
        planned = step * (1 + self.jitter * chance)
        return max(planned, min(retry_after, self.retry_after_limit)) if retry_after is not None else planned

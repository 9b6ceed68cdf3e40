"""Which feed spent how many requests: the feeds of a provider share one budget, and each counts what it takes of it."""

from __future__ import annotations

from contextvars import ContextVar

from runtime.rate import RateLimit


class Spending:
    """The requests of one feed since its polling began."""

    def __init__(self) -> None:
        self.requests = 0


SPENDING: ContextVar[Spending | None] = ContextVar("spending", default=None)
"""Whose requests they are. Tasks that a poll starts inherit it, so a provider's code needs no mention of it."""


class CountedRateLimit(RateLimit):
    """A budget that tells who spends it."""

    async def acquire(self) -> float:
        arrives = await super().acquire()
        spending = SPENDING.get()
        if spending is not None:
            spending.requests += 1
        return arrives

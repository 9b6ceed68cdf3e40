"""When too much of a stream goes to the dead topic, the stream stops: something is wrong with all of it, not with single events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeadLimit:
    """More than `ratio` of at least `events` events, or `consecutive` in a row."""

    ratio: float = 0.01
    events: int = 1_000
    consecutive: int = 1_000


class TooManyDead(Exception):
    """The limit is passed. The batch at hand is not committed: it waits, with all that follow it."""


class DeadCount:
    """Counts one provider's events in this process. A process that is started again begins anew."""

    def __init__(self, limit: DeadLimit | None = None) -> None:
        self._limit = limit or DeadLimit()
        self._events = 0
        self._dead = 0
        self._consecutive = 0

    def count(self, *, dead: bool) -> None:
        self._events += 1
        self._dead += dead
        self._consecutive = self._consecutive + 1 if dead else 0

    def check(self) -> None:
        """Raises TooManyDead, from the moment that the limit is passed on."""
        limit = self._limit
        if self._consecutive >= limit.consecutive:
            raise TooManyDead(f"{self._consecutive} events in a row could not be processed (see `changecast dead list`)")
        if self._events >= limit.events and self._dead > limit.ratio * self._events:
            raise TooManyDead(
                f"{self._dead} of {self._events} events could not be processed, more than {limit.ratio:.0%} "
                "(see `changecast dead list`)"
            )

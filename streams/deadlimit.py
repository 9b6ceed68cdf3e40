"""When too much of a stream goes to the dead topic, the stream stops: something is wrong with all of it, not with single events."""

from __future__ import annotations

from dataclasses import dataclass

_REMEMBERED = 10
"""The ratio is of this many times the events that it needs at least, or of half as many."""


@dataclass(frozen=True)
class DeadLimit:
    """More than `ratio` of at least `events` events, or `consecutive` in a row."""

    ratio: float = 0.01
    events: int = 1_000
    consecutive: int = 1_000


class TooManyDead(Exception):
    """The limit is passed. The batch at hand is not committed: it waits, with all that follow it."""


class DeadCount:
    """Counts one provider's events in this process, the last ones: a stream that went well for months is stopped as soon as any
    other. A process that is started again begins anew."""

    def __init__(self, limit: DeadLimit | None = None) -> None:
        self._limit = limit or DeadLimit()
        self._events = 0
        self._dead = 0
        self._consecutive = 0
        self._passed: str | None = None

    def count_good(self, events: int = 1) -> None:
        """Events that came out, or were repeats of such."""
        if events:
            self._events += events
            self._consecutive = 0
            self._look()

    def count_dead(self) -> None:
        self._events += 1
        self._dead += 1
        self._consecutive += 1
        self._look()

    def check(self) -> None:
        """Raises TooManyDead, from the moment that the limit is passed on."""
        if self._passed is not None:
            raise TooManyDead(f"{self._passed} (see `changecast dead list`)")

    def _look(self) -> None:
        limit = self._limit
        if self._consecutive >= limit.consecutive:
            self._passed = f"{self._consecutive} events in a row could not be processed"
        elif self._events >= limit.events and self._dead > limit.ratio * self._events:
            self._passed = f"{self._dead} of the last {self._events} events could not be processed, more than {limit.ratio:.0%}"
        if self._events >= _REMEMBERED * limit.events:
            self._events //= 2
            self._dead //= 2

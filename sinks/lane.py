"""The lane of an endpoint's retries: those that wait in memory, and when those that had no room shall come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from sinks.delivery import Delivery

PARSED_BYTES = 1024 * 1024
"""What waits behind so much is kept as bytes alone."""
_PER_QUEUE = 8
"""The lane is that much shorter than the endpoint's queue: what has no room there waits in its topic."""
_MAX_BYTES = 4 * 1024 * 1024
_GUESS_S = 0.05
"""What an attempt takes, until some have been seen."""
_SOONEST_S = 0.5
"""Each turn costs a record: it is worth some deliveries made meanwhile."""
_LONGEST_S = 300.0
"""An endpoint that has become faster meanwhile is not left alone for longer."""
_STILL_S = 5.0
"""As often an endpoint must take something from the lane, for what waits to be given turns by its pace."""
_MEMORY = 32
"""The pace is a mean of about so many of the last deliveries: several times what most endpoints take side by side."""


class Pace:
    """How fast an endpoint takes retries, and so when the next that finds no room shall come back: one after another, as fast as they
    will be taken, since all at once would be refused again, and twice as late each time would leave the endpoint idle in between.

    Times are a monotonic clock's seconds."""

    def __init__(self, side_by_side: int) -> None:
        self._each = _GUESS_S / side_by_side
        self._moved_at = 0.0
        self._last_turn = 0.0

    def began(self, now: float) -> None:
        """Something waits, for the first time since nothing did."""
        self._moved_at = now
        self._last_turn = now

    def took(self, count: int, now: float) -> None:
        """So many have been taken, of those that waited."""
        # an open breaker, or an answer that never came, is not its pace
        each = min(now - self._moved_at, _STILL_S) / count
        self._each += (each - self._each) * min(count / _MEMORY, 1.0)
        self._moved_at = now

    def turn(self, ahead: int, now: float) -> float | None:
        """Seconds until one that finds so many ahead of it shall come back, later than all before it. None when nothing has been taken
        for so long that there is no telling."""
        if now - self._moved_at > _STILL_S:
            return None
        soonest = now + max(ahead * self._each, _SOONEST_S)
        self._last_turn = min(max(self._last_turn + self._each, soonest), now + _LONGEST_S)
        return self._last_turn - now


class RetryLane:
    """`queue`: the first attempts for which the endpoint has room. Times as in `Pace`."""

    def __init__(self, queue: int, side_by_side: int) -> None:
        self._length = max(queue // _PER_QUEUE, side_by_side)
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._pace = Pace(side_by_side)

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self._waiting)

    @property
    def full(self) -> bool:
        return len(self._waiting) >= self._length or self._bytes >= _MAX_BYTES

    def add(self, delivery: Delivery, now: float) -> None:
        if not self._waiting:
            self._pace.began(now)
        self._waiting.append(delivery)
        self._bytes += delivery.size
        if self._bytes > PARSED_BYTES:
            delivery.event.slim()

    def take(self, most: int, now: float) -> list[Delivery]:
        """The next, one at least where there is one."""
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self._bytes -= sum(delivery.size for delivery in taken)
        self._pace.took(len(taken), now)
        return taken

    def keep(self, belongs: Callable[[Delivery], bool]) -> None:
        """Forget all others."""
        self._waiting = deque(delivery for delivery in self._waiting if belongs(delivery))
        self._bytes = sum(delivery.size for delivery in self._waiting)

    def turn(self, now: float) -> float | None:
        """See `Pace.turn`, for one that has no room here."""
        return self._pace.turn(len(self._waiting), now)

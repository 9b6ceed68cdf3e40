"""A request budget: never more than `rate` requests in any second, and none before a Retry-After has passed."""

from __future__ import annotations

import asyncio
import math
from bisect import insort
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from runtime.clock import Clock, SystemClock, sleep_until_set
from runtime.pulse import Pulse

_MARGIN_S = 0.05
"""Requests that leave a second apart can arrive closer together: the window is that much longer."""

_TRAVEL_S = 1.0
"""A request without an answer may still be on its way, but is taken to have arrived after this. When a process or a network stands
still for a moment, the requests of two seconds would else arrive together. A provider that answers later than this gets between half
the rate and all of it, which suits one in difficulties."""

_TICK_S = 0.001
"""Two clocks may round a time differently."""

_ROUNDING = 1e-9
"""A share of a rate is a float: 40 × (1 − 0.9) is 3.9999999999999991, and four."""


class RateLimit:
    """Hands out leave to send. Fair: callers go in the order in which they asked.

    With a `pulse`, one whose process stood still hands out nothing any more: its share may be another's by now. Who runs the pulse ends
    what asks here, and begins anew.

    A rate below 1 is one request every 1/rate seconds. A provider counts requests as they arrive, which is somewhere between the
    sending and the answer: `request` tells the budget of both, `acquire` of the sending alone.
    """

    def __init__(self, rate: float, clock: Clock | None = None, *, pulse: Pulse | None = None) -> None:
        self._clock = clock or SystemClock()
        self._pulse = pulse
        self._paused_until = float("-inf")
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self.spent = 0
        self.rate = _checked(rate)
        # the latest moments at which the last requests can have arrived, in order; of one that is unanswered it is a guess
        self._sent: deque[float] = deque(maxlen=_slots(rate))
        self._unanswered: deque[float] = deque()

    def set_rate(self, rate: float) -> None:
        """A share changes with the partitions that its worker owns; with 0 nothing may be sent.

        What it gains another process may have spent a moment ago, on requests that are still on their way: it counts as spent.
        """
        gained = max(_slots(rate) - _slots(self.rate), int(rate > self.rate))
        self.rate = _checked(rate)
        self._sent = deque(self._sent, maxlen=_slots(rate))
        self._sent.extend([self._clock.monotonic() + _TRAVEL_S] * gained)
        self._changed.set()

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the provider asked for it."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    @property
    def paused_s(self) -> float:
        """Seconds for which still nothing is sent."""
        return max(self._paused_until - self._clock.monotonic(), 0.0)

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Wait until one more request may be sent. It is on its way until the block ends, or longer when that fails."""
        self._unanswered.append(await self.acquire())
        try:
            yield
        except BaseException:
            self.end(answered=False)
            raise
        self.end()

    async def acquire(self) -> float:
        """Wait until one more request may be sent. Returns when it will have arrived, by the clock's monotonic seconds."""
        async with self._turn:  # hands itself on in the order of asking, also when who waits is cancelled
            while (wait := self.wait()) > 0:
                await self._sleep(wait)
            return self._spend()

    def begin(self) -> None:
        """A request is sent now, for callers that do their own waiting (see `wait`). `end` follows."""
        self._unanswered.append(self._spend())

    def end(self, *, answered: bool = True) -> None:
        """A request of `begin` has been answered, or broken off: then it may still arrive there."""
        self._settled(self._clock.monotonic() + (_TICK_S if answered else _TRAVEL_S))

    @property
    def travelling(self) -> bool:
        """Whether the arrival of a request is still uncertain: neither answered, nor sent long enough ago."""
        return bool(self._unanswered) and self._unanswered[-1] + _TRAVEL_S > self._clock.monotonic()

    def arrivals(self) -> list[float]:
        """Latest arrival times of the requests that still count, in order, for another process that continues with this budget.
        Seconds from now: negative for the past. Unanswered requests may take until the end of their travel time."""
        now = self._clock.monotonic()
        unanswered = set(self._unanswered)
        latest = sorted((at + (_TRAVEL_S if at in unanswered else 0.0)) - now for at in self._sent)
        return [at for at in latest if at + self._window > 0]

    def assume(self, arrivals: Iterable[float]) -> None:
        """Continue a budget that another process has used; replaces what is known here. `arrivals`: as by `arrivals`."""
        now = self._clock.monotonic()
        self._sent = deque(sorted(now + at for at in arrivals), maxlen=_slots(self.rate))
        self._changed.set()

    def assume_spent(self, until: float) -> None:
        """Continue a budget that another process may have used completely, with requests sent up to `until` (monotonic seconds)."""
        self._sent = deque([until + _TRAVEL_S] * _slots(self.rate), maxlen=_slots(self.rate))
        self._changed.set()

    def _spend(self) -> float:
        now = self._clock.monotonic()
        # what can't matter any more only costs time to look through
        while self._sent and self._sent[0] + self._window + _TRAVEL_S <= now:
            self._sent.popleft()
        arrives = now + _MARGIN_S
        self._sent.append(arrives)
        self.spent += 1
        return arrives

    @property
    def _window(self) -> float:
        return max(1.0, 1.0 / self.rate)

    def wait(self) -> float:
        """Seconds, as things stand, until one more request may be sent; not positive: now."""
        if not self.rate or not (self._pulse is None or self._pulse.steady):
            return math.inf
        ready = self._paused_until
        if len(self._sent) == self._sent.maxlen:
            oldest = self._sent[0]
            on_its_way = bool(self._unanswered) and self._unanswered[0] <= oldest
            ready = max(ready, oldest + self._window + (_TRAVEL_S if on_its_way else 0.0))
        return ready - self._clock.monotonic()

    async def _sleep(self, seconds: float) -> None:
        """Until then, or until an answer or another rate changes what there is to wait for."""
        self._changed.clear()
        await sleep_until_set(self._changed, seconds, self._clock)

    def _settled(self, arrived: float) -> None:
        """One of those under way arrived at this moment or before. Which one it was makes no difference to the sum."""
        guessed = self._unanswered.popleft()
        if guessed in self._sent:
            self._sent.remove(guessed)
            insort(self._sent, arrived)
        self._changed.set()


def _checked(rate: float) -> float:
    if rate < 0:
        raise ValueError(f"a rate is 0 requests/s or more, not {rate}")
    return rate


def _slots(rate: float) -> int:
    """Requests in one window: a second, or 1/rate of them where that is longer."""
    return max(1, math.floor(rate + _ROUNDING)) if rate else 0

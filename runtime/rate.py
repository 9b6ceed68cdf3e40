"""A request budget: never more than `rate` requests in any second, and none before a Retry-After has passed."""

from __future__ import annotations

import asyncio
import math
from collections import deque

from runtime.clock import Clock, SystemClock

_MARGIN_S = 0.05
"""Requests that leave a second apart can arrive closer together; while none is answered, the window is that much longer."""

_TICK_S = 0.001
"""Two clocks may round a time differently."""

_ROUNDING = 1e-9
"""A share of a rate is a float: 40 × (1 − 0.9) is 3.9999999999999991, and four."""

_UNANSWERED_LIMIT = 1000
"""Requests under way that are remembered: more than a client has connections. Who never tells of answers leaves them here."""


class RateLimit:
    """Hands out leave to send. Fair: callers go in the order in which they asked.

    A rate below 1 is one request every 1/rate seconds. A provider counts requests as they arrive, and the first ones of a
    connection travel longer than the next: told of answers, the budget counts a request as sent when it was answered.
    """

    def __init__(self, rate: float, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._paused_until = float("-inf")
        self._turn = asyncio.Lock()
        self._unanswered: deque[float] = deque(maxlen=_UNANSWERED_LIMIT)
        self.spent = 0
        self.set_rate(rate)

    def set_rate(self, rate: float) -> None:
        """A worker's share changes with the partitions that it owns."""
        if rate <= 0:
            raise ValueError(f"a rate is above 0 requests/s, not {rate}")
        self.rate = rate
        self._window = 1.0 if rate >= 1 else 1.0 / rate
        sent = getattr(self, "_sent", ())
        # the latest moments at which the last requests can have arrived, in order
        self._sent: deque[float] = deque(sent, maxlen=max(1, math.floor(rate + _ROUNDING)))

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the provider asked for it."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    @property
    def paused_s(self) -> float:
        """Seconds for which still nothing is sent."""
        return max(self._paused_until - self._clock.monotonic(), 0.0)

    async def acquire(self) -> None:
        """Wait until one more request may be sent."""
        async with self._turn:  # hands itself on in the order of asking, also when who waits is cancelled
            while True:
                now = self._clock.monotonic()
                ready = self._paused_until
                if len(self._sent) == self._sent.maxlen:
                    ready = max(ready, self._sent[0] + self._window)
                if now >= ready:
                    break
                await self._clock.sleep(ready - now)
            self._sent.append(now + _MARGIN_S)
            self._unanswered.append(now + _MARGIN_S)
            self.spent += 1

    def answered(self) -> None:
        """A request has been answered, or has failed: it arrived before now. Which one it was makes no difference to the sum."""
        if not self._unanswered:
            return
        guessed = self._unanswered.popleft()
        now = self._clock.monotonic() + _TICK_S
        if guessed in self._sent and now > guessed:
            self._sent.remove(guessed)
            self._sent.append(now)

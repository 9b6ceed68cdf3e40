"""A request budget: never more than `rate` requests in any second, and none before a Retry-After has passed."""

from __future__ import annotations

import math
from collections import deque

from runtime.clock import Clock, SystemClock

_MARGIN_S = 0.05
"""Requests that leave a second apart can arrive closer together; the window is that much longer than a second."""


class RateLimit:
    """Hands out leave to send. Fair: callers go in the order in which they asked.

    A rate below 1 is one request every 1/rate seconds.
    """

    def __init__(self, rate: float, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._paused_until = 0.0
        self.spent = 0
        self.set_rate(rate)

    def set_rate(self, rate: float) -> None:
        """A worker's share changes with the partitions that it owns."""
        if rate <= 0:
            raise ValueError(f"a rate is above 0 requests/s, not {rate}")
        self.rate = rate
        self._window = (1.0 + _MARGIN_S) if rate >= 1 else 1.0 / rate
        grants = getattr(self, "_grants", ())
        self._grants: deque[float] = deque(grants, maxlen=max(1, math.floor(rate)))

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the provider asked for it."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    async def acquire(self) -> None:
        """Wait until one more request may be sent."""
        while True:
            now = self._clock.monotonic()
            ready = self._paused_until
            if len(self._grants) == self._grants.maxlen:
                ready = max(ready, self._grants[0] + self._window)
            if now >= ready:
                break
            await self._clock.sleep(ready - now)
        self._grants.append(now)
        self.spent += 1

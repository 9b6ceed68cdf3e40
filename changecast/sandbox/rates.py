"""Two ways in which services bound the rate of requests."""

from __future__ import annotations

import math
from collections import deque


class SlidingWindow:
    """At most so many requests in any second."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque()

    def take(self, now: float, per_second: int) -> bool:
        """Whether a request at `now` (monotonic seconds) is let in. One that is not costs nothing."""
        while self._taken and self._taken[0] <= now - 1:
            self._taken.popleft()
        if len(self._taken) >= per_second:
            return False
        self._taken.append(now)
        return True


class TokenBucket:
    """A steady rate with room for a burst."""

    def __init__(self) -> None:
        self._tokens: float | None = None
        self._at = 0.0

    def take(self, now: float, rate: float, burst: int) -> int:
        """0 when the request is let in, else the whole seconds to wait before the next try."""
        tokens = burst if self._tokens is None else min(burst, self._tokens + (now - self._at) * rate)
        self._at = now
        if tokens >= 1:
            self._tokens = tokens - 1
            return 0
        self._tokens = tokens
        return max(1, math.ceil((1 - tokens) / rate))

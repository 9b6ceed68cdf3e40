"""A breaker: an endpoint that mostly fails is left alone for a while, then probed by one delivery."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from schemas.config.models import Breaker as BreakerSettings


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


@dataclass(frozen=True)
class Limits:
    """Seconds and a share: see the config's `delivery.breaker`."""

    window: float = 300.0
    requests: int = 10
    failed: float = 0.7
    open_for: float = 30.0
    slices: int = 30
    """The window is counted in so many slices: memory stays the same at any rate."""

    @classmethod
    def of(cls, settings: BreakerSettings) -> Limits:
        return cls(settings.window.total_seconds(), settings.requests, settings.failed, settings.open_for.total_seconds())


class Breaker:
    """Times are a monotonic clock's seconds, given with each call."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._slices: deque[list[float]] = deque()
        self._state = State.CLOSED
        self._until = 0.0

    def state(self, now: float) -> State:
        if self._state is State.OPEN and now >= self._until:
            self._state = State.PROBING
        return self._state

    def wait(self, now: float) -> float:
        """Seconds until a probe may go out; 0 where deliveries may."""
        return max(self._until - now, 0.0) if self.state(now) is State.OPEN else 0.0

    def admits(self, in_flight: int, now: float) -> bool:
        """Whether one more attempt may start beside those in flight."""
        state = self.state(now)
        return state is State.CLOSED or (state is State.PROBING and in_flight == 0)

    def record(self, failed: bool, now: float) -> None:
        """An attempt has ended."""
        state = self.state(now)
        if state is State.PROBING:
            self._slices.clear()
            if failed:
                self._open(now)
            else:
                self._state = State.CLOSED
            return
        self._count(failed, now)
        if state is State.CLOSED and failed and self._trips():
            self._slices.clear()
            self._open(now)

    def open_for(self, seconds: float, now: float) -> None:
        """Open, or stay open, for at least so long: another worker's breaker for the same endpoint is open."""
        self._slices.clear()
        self._until = max(self._until, now + seconds) if self._state is State.OPEN else now + seconds
        self._state = State.OPEN

    def _open(self, now: float) -> None:
        self._state, self._until = State.OPEN, now + self._limits.open_for

    def _count(self, failed: bool, now: float) -> None:
        width = self._limits.window / self._limits.slices
        while self._slices and self._slices[0][0] <= now - self._limits.window:
            self._slices.popleft()
        if not self._slices or now >= self._slices[-1][0] + width:
            self._slices.append([now, 0, 0])
        self._slices[-1][1] += 1
        self._slices[-1][2] += failed

    def _trips(self) -> bool:
        total = sum(entry[1] for entry in self._slices)
        bad = sum(entry[2] for entry in self._slices)
        return total >= self._limits.requests and bad >= self._limits.failed * total

"""Notices that this process stood still: after a long pause its partitions may have gone to another worker without its knowing."""

from __future__ import annotations

from runtime.clock import Clock
from runtime.kafka import HEARTBEAT_MS, SESSION_TIMEOUT_MS

_EVERY_S = 0.1
STILL_S = (SESSION_TIMEOUT_MS - HEARTBEAT_MS) / 1000 - 1.0
"""The broker gives up on a worker a session after its last heartbeat, which may have been an interval before the pause."""


class StoodStill(ConnectionError):
    """Nothing may be sent any more by what this process held before the pause, partitions or a share of a budget: another may have
    it by now."""


class Pulse:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.monotonic()

    @property
    def steady(self) -> bool:
        """Asked before each request: whatever runs first after the pause must notice it."""
        return self._clock.monotonic() - self._last < STILL_S

    async def run(self) -> None:
        """Until cancelled. Raises StoodStill."""
        self._last = self._clock.monotonic()
        while True:
            if not self.steady:
                raise StoodStill(f"this process stood still for {self._clock.monotonic() - self._last:.1f} s")
            self._last = self._clock.monotonic()
            await self._clock.sleep(_EVERY_S)

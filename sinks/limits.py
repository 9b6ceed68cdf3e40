"""The limits of receivers: `rate` and `concurrency` of the config, one for each address, over all its subscriptions and all workers.

Over the workers a limit holds because only the worker that has its lease (`lease_log`) attempts anything; here it holds in one process.
What has no limit of its own in the config has no `Limit`, and pays for none.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from runtime.clock import Clock, sleep_until_set
from runtime.rate import RateLimit
from schemas.config import Config
from schemas.lease import MAX_MS, Pacing
from sinks.lease_member import Predecessor
from sinks.terms import Terms, terms_of

_TURN_S = 1.0
"""The shortest turn of a worker: an exchange costs about 10 ms in which nothing is sent."""
_LONGEST_TURN_S = 30.0
_TURN_ATTEMPTS = 10
"""A turn is as many attempts long: at its end slots stay empty until the last answer, or the rate counts what may still be travelling."""
_STEP_MS = 5
"""Arrivals are handed over in steps of this, so that a high rate makes a small record."""


class Sharer(Protocol):
    """An endpoint that is subject to a limit."""

    def due(self) -> bool:
        """Whether it would start an attempt now if the limit allowed it."""

    def broken_s(self) -> float:
        """Remaining seconds of its open breaker."""

    def break_for(self, seconds: float) -> None:
        """Another worker's breaker for this address is open."""


class Lease(Protocol):
    def usable(self) -> bool:
        """Whether this process may attempt something now."""

    def held(self) -> bool:
        """The same for what is under way: also while its turn ends."""

    def crowded(self) -> bool:
        """Whether another worker waits for it."""

    def ask(self) -> None:
        """Something is due."""

    def ended(self) -> None:
        """An attempt has ended while another worker waits."""


class Limit:
    """One address's limit in this process. `timeout_s`: the longest that an attempt takes. Without a `lease` it is not shared."""

    def __init__(self, terms: Terms, clock: Clock, timeout_s: float, lease: Lease | None = None) -> None:
        self.key = terms.key
        self.sent = 0
        self.lease = lease
        self._clock = clock
        self._timeout_s = timeout_s
        self._rate = RateLimit(terms.rate, clock) if terms.rate is not None else None
        self._concurrency = terms.concurrency
        self._in_flight = 0
        self._not_before = -math.inf
        self._seconds = 0.0
        self._sharers: list[Sharer] = []
        self._queued = 0
        self._asking = 0
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    def share(self, sharer: Sharer) -> None:
        self._sharers.append(sharer)

    # what an endpoint asks

    @asynccontextmanager
    async def attempt(self, wanted: Callable[[], bool]) -> AsyncIterator[bool]:
        """Wait until an attempt may begin. It is under way until the block ends. False: it is not wanted any more, and doesn't count."""
        # nobody waits, so nobody is overtaken
        at_once = not self._queued and wanted() and self.wait() <= 0
        if not (at_once or await self._admitted(wanted)):
            yield False
            return
        began, answered = self.begin(), False
        try:
            yield True
            answered = True
        finally:
            self.end(began, answered=answered)

    async def _admitted(self, wanted: Callable[[], bool]) -> bool:
        self._queued += 1
        try:
            async with self._turn:  # in the order of asking
                while wanted():
                    if (wait := self.wait()) <= 0:
                        return True
                    self.nudge()
                    await self._change(wait)
            return False
        finally:
            self._queued -= 1

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """One more request within an attempt: it has the attempt's place, and waits for the rate."""
        if self._rate is None:
            yield
            return
        self._asking += 1
        try:
            while (wait := self._wait_for_rate(self._rate)) > 0:
                self.nudge()
                await self._change(wait)
        finally:
            self._asking -= 1
        self._rate.begin()
        answered = False
        try:
            yield
            answered = True
        finally:
            self._rate.end(answered=answered)
            self._changed.set()

    def _wait_for_rate(self, rate: RateLimit) -> float:
        """For an attempt that is under way: its turn ends with its answer, not before."""
        if self.lease is not None and not self.lease.held():
            return math.inf
        return max(rate.wait(), self._not_before - self._clock.monotonic())

    async def _change(self, seconds: float) -> None:
        """Return when something has changed, or after so long."""
        self._changed.clear()
        await sleep_until_set(self._changed, seconds, self._clock)

    def nudge(self) -> None:
        """An endpoint has something to send."""
        if self.lease is not None and not self.lease.usable():
            self.lease.ask()

    def wait(self) -> float:
        """Seconds, as things stand, until an attempt may begin."""
        if self.lease is not None and not self.lease.usable():
            return math.inf
        if self._concurrency is not None and self._in_flight >= self._concurrency:
            return math.inf
        wait = self._not_before - self._clock.monotonic()
        return wait if self._rate is None else max(wait, self._rate.wait())

    def begin(self) -> float:
        self._in_flight += 1
        self.sent += 1
        if self._rate is not None:
            self._rate.begin()
        return self._clock.monotonic()

    def end(self, began: float, *, answered: bool = True) -> None:
        # by the answer, too: who counts at the other end counts what arrives
        self._in_flight -= 1
        if not answered and self._concurrency is not None:
            # broken off here, the receiver may still be at it
            self._not_before = max(self._not_before, began + self._timeout_s)
        if self._rate is not None:
            self._rate.end(answered=answered)
        self._seconds += (self._clock.monotonic() - began - self._seconds) / _TURN_ATTEMPTS
        self._changed.set()
        if self.lease is not None and self.lease.crowded():
            self.lease.ended()

    def pause(self, seconds: float) -> None:
        """The receiver of a paced endpoint asked for it."""
        if self._rate is not None:
            self._rate.pause(seconds)

    @property
    def paused_s(self) -> float:
        """Seconds for which the receiver wants nothing, or may still be at something."""
        return max(self._rate.paused_s if self._rate is not None else 0.0, self._not_before - self._clock.monotonic(), 0.0)

    @property
    def round_s(self) -> float:
        """Seconds in which each endpoint that shares it has its turn, by the rate alone."""
        return (len(self._sharers) + 1) / self._rate.rate if self._rate is not None and self._rate.rate else 0.0

    def wake(self) -> None:
        """The lease has changed."""
        self._changed.set()

    # what its lease asks

    def due(self) -> bool:
        return self._asking > 0 or any(sharer.due() for sharer in self._sharers)

    def drained(self) -> bool:
        if self._asking:
            return False
        if self._concurrency is not None:
            return self._in_flight == 0
        return self._rate is None or not self._rate.travelling

    @property
    def turn_s(self) -> float:
        if self._concurrency == 1:
            return _TURN_S  # between two attempts nothing is in flight
        return min(max(_TURN_S, _TURN_ATTEMPTS * self._seconds), _LONGEST_TURN_S)

    def pacing(self) -> Pacing:
        steps: deque[list[int]] = deque()
        for at in self._rate.arrivals() if self._rate is not None else ():
            # up to the next step: a later arrival is the safe side
            step = min(math.ceil(at * 1000 / _STEP_MS) * _STEP_MS, MAX_MS)
            if steps and steps[-1][0] == step:
                steps[-1][1] += 1
            else:
                steps.append([step, 1])
        broken = max((sharer.broken_s() for sharer in self._sharers), default=0.0)
        arrivals = tuple((step, count) for step, count in steps)
        return Pacing(arrivals=arrivals, paused=_milliseconds(self.paused_s), broken=_milliseconds(broken))

    def take_over(self, predecessor: Predecessor | None) -> None:
        """A turn begins. None: nobody else has used the limit since the last one."""
        if predecessor is not None:
            self._continue(predecessor)
        self.wake()

    def _continue(self, predecessor: Predecessor) -> None:
        now = self._clock.monotonic()
        if predecessor.pacing is None:
            # the last holder may have begun something as late as this, and it may take as long as an attempt takes
            if self._rate is not None:
                self._rate.assume_spent(predecessor.at)
            if self._concurrency is not None:
                self._not_before = max(self._not_before, predecessor.at + self._timeout_s)
        elif self._rate is not None:
            elapsed = now - predecessor.at
            self._rate.assume(at / 1000 - elapsed for at, count in predecessor.pacing.arrivals for _ in range(count))
        self._not_before = max(self._not_before, predecessor.paused_until)
        if predecessor.broken_until > now:
            for sharer in self._sharers:
                sharer.break_for(predecessor.broken_until - now)


def _milliseconds(seconds: float) -> int:
    return min(math.ceil(seconds * 1000), MAX_MS)


def limits_of(config: Config, clock: Clock, lease_of: Callable[[str], Lease | None]) -> dict[str, Limit]:
    """By subscription. Subscriptions with one address share one."""
    timeout_s = config.delivery.timeout.total_seconds()
    limits: dict[str, Limit] = {}
    found: dict[str, Limit] = {}
    for name, terms in terms_of(config.subscriptions).items():
        if terms.key not in limits:
            limits[terms.key] = Limit(terms, clock, timeout_s, lease_of(terms.key))
        found[name] = limits[terms.key]
    return found

"""Workers that share a limit, in a simulated world: a log, clocks that run apart, slow networks, kills, pauses and outages. The leases and
the limits are the real ones; what is simulated is what carries records, and a receiver that takes its time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from runtime.clock import ManualClock
from schemas.lease import LeaseRecord
from sinks.lease_member import LeaseMember
from sinks.limits import Limit
from sinks.terms import Terms

TIMEOUT_S = 8.0
TRAVEL_S = 0.8
"""A request arrives within this, whatever its answer takes."""


class LocalClock(ManualClock):
    """A monotonic clock with an origin and a speed of its own."""

    def __init__(self, world: LeaseWorld, origin: float, speed: float) -> None:
        super().__init__()
        self._world, self._origin, self._speed = world, origin, speed

    def monotonic(self) -> float:
        return self._origin + self._world.now * self._speed


@dataclass
class Attempt:
    worker: str
    began: float
    arrived: float
    ended: float


class SimWorker:
    """`queue`: deliveries that wait. It reads, plans and sends each time that it is awake."""

    def __init__(self, world: LeaseWorld, name: str, terms: Terms, queue: int) -> None:
        chance = world.chance
        self.world, self.name, self.queue = world, name, queue
        self.clock = LocalClock(world, chance.uniform(0, 1e6), chance.uniform(0.999, 1.001))
        self.member = LeaseMember(name)
        self.limit = Limit(terms, self.clock, TIMEOUT_S, self)
        self.limit.share(self)
        self.alive = True
        self.frozen_until = 0.0
        self.cut_off_until = 0.0
        self.position = 0
        self.in_flight: list[tuple[float, float]] = []
        self.wake()

    # what its limit asks of the lease, and its lease of the endpoint

    def usable(self) -> bool:
        return self.member.usable(self.limit.key, self.clock.monotonic())

    def held(self) -> bool:
        return self.member.held(self.limit.key, self.clock.monotonic())

    def crowded(self) -> bool:
        return self.member.crowded(self.limit.key)

    def ask(self) -> None: ...

    def ended(self) -> None: ...

    def due(self) -> bool:
        return self.queue > 0

    def broken_s(self) -> float:
        return 0.0

    def break_for(self, seconds: float) -> None: ...

    def wake(self) -> None:
        if not self.alive:
            return
        if self.world.now < self.frozen_until:
            self.world.at(self.frozen_until, self.wake)
            return
        self.finish()
        # a process that stood still goes on at any point of what it was doing
        steps: list[Callable[[], None]] = [self.read, self.plan, self.send]
        self.world.chance.shuffle(steps)
        for step in steps:
            step()
        self.world.at(self.world.now + self.world.chance.uniform(0.005, 0.06), self.wake)

    def finish(self) -> None:
        for ended, began in [one for one in self.in_flight if one[0] <= self.world.now]:
            self.in_flight.remove((ended, began))
            self.limit.end(began)

    def read(self) -> None:
        if self.world.is_away or self.is_cut_off:
            return
        while self.position < len(self.world.log):
            record, readable_at = self.world.log[self.position]
            if readable_at > self.world.now:
                return
            now = self.clock.monotonic()
            for key in self.member.read(self.position, record, now):
                self.member.begin(key, self.limit, now)
                self.limit.take_over(self.member.predecessor(key))
            self.position += 1
            if self.world.chance.random() < 0.2:
                return  # the rest comes in another fetch

    def plan(self) -> None:
        if (record := self.member.plan({self.limit.key: self.limit}, self.clock.monotonic())) is not None:
            self.send_record(record)

    def send_record(self, record: LeaseRecord) -> None:
        if self.is_cut_off:
            self.world.at(self.cut_off_until, lambda: self.send_record(record) if self.alive else None)
        else:
            self.world.append(record)

    @property
    def is_cut_off(self) -> bool:
        """From Kafka, and not from the receiver."""
        return self.world.now < self.cut_off_until

    def stop(self) -> None:
        """Without waiting for what is in flight."""
        self.queue = 0
        self.finish()
        for _, began in self.in_flight:
            self.limit.end(began, answered=False)
        if (record := self.member.leave({self.limit.key: self.limit}, self.clock.monotonic())) is not None:
            self.send_record(record)
        self.alive = False

    def send(self) -> None:
        while self.queue and self.limit.wait() <= 0:
            self.queue -= 1
            began, now = self.limit.begin(), self.world.now
            seconds = self.world.answer_s()
            arrived = now + self.world.chance.uniform(0, min(seconds, TRAVEL_S))
            self.in_flight.append((now + seconds, began))
            self.world.attempts.append(Attempt(self.name, now, arrived, now + seconds))


@dataclass
class LeaseWorld:
    """`log`: each record, and when it can be read. While Kafka is away nothing is appended, and nobody reads."""

    chance: Random
    now: float = 0.0
    log: list[tuple[LeaseRecord, float]] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    away_until: float = 0.0
    slowest_s: float = 0.5
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def is_away(self) -> bool:
        return self.now < self.away_until

    def answer_s(self) -> float:
        return min(
            self.chance.expovariate(1 / 0.1) if self.chance.random() < 0.9 else self.chance.uniform(0, self.slowest_s), TIMEOUT_S
        )

    def at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), event))

    def append(self, record: LeaseRecord) -> None:
        if self.is_away:
            # clients try again at their own pace
            self.at(self.away_until + self.chance.uniform(0.0, 0.3), lambda: self.append(record))
            return

        def appended() -> None:
            if self.is_away:
                self.append(record)
                return
            self.log.append((record, self.now + self.chance.uniform(0.001, 0.05)))
            if self.chance.random() < 0.02:
                self.append(record)

        self.at(self.now + self.chance.uniform(0.001, 0.05), appended)

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = until


def most_in_flight(attempts: list[Attempt]) -> int:
    changes = sorted([(one.ended, -1) for one in attempts] + [(one.began, 1) for one in attempts])
    return max(itertools.accumulate(change for _, change in changes), default=0)


def most_in_a_window(moments: list[float], seconds: float) -> int:
    """The most in any half-open window of so many seconds."""
    moments, most, first = sorted(moments), 0, 0
    for number, moment in enumerate(moments):
        while moments[first] <= moment - seconds:
            first += 1
        most = max(most, number - first + 1)
    return most

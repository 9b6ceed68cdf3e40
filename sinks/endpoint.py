"""One subscription's endpoint: its queue, its order, and how many attempts run side by side.

First attempts of one entity go one after the other; of different entities side by side. Retries stand in a lane of their own, and go
when no first attempt waits, but for a small share, so that a flood does not hold them up for ever.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from runtime.clock import Clock
from runtime.metrics import Histogram
from runtime.pulse import Pulse
from schemas.delivery import ErrorClass
from sinks.answer import Answer, Sender
from sinks.breaker import Breaker, Limits, State
from sinks.budget import Budget, Slots
from sinks.caller import Caller
from sinks.delivery import Delivery
from sinks.firsts import FirstAttempts
from sinks.lane import RetryLane
from sinks.limits import Limit
from sinks.shard import Shard

_RETRY_SHARE = 16
"""One pick in so many goes to a retry although first attempts wait."""
STALLED_S = 900.0
"""Whatever a delivery waits for that no schedule and no receiver has asked for is over in much less."""
_ALONE_BYTES = 128 * 1024 * 1024
"""Memory of an endpoint that shares none with others."""
_MAX_QUEUED_BYTES = 8 * 1024 * 1024
"""Of one endpoint: events are about 1 KB, but one may have a large series in it."""


@dataclass(frozen=True)
class Bounds:
    """`queue`: deliveries that wait in memory. `concurrency`: attempts side by side. `longest_pause`: seconds for which a Retry-After
    stops all deliveries, whatever it asks for. `longest_attempt`: seconds, of all the requests that one attempt may take."""

    queue: int = 1000
    concurrency: int = 8
    longest_pause: float = 36_000.0
    longest_attempt: float | None = None
    breaker: Limits = field(default_factory=Limits)


class Endpoint:
    """`on_answer(delivery, answer)` is called for each delivery of each attempt, at once and in order; `on_busy(name, busy)` when
    there is work, and when there is none any more; `on_error` with an error of the endpoint's own. While
    `recorded` is not set nothing is sent, since nothing would be known of it after a kill."""

    def __init__(
        self,
        name: str,
        sender: Sender,
        bounds: Bounds,
        clock: Clock,
        *,
        on_answer: Callable[[Delivery, Answer], None],
        on_error: Callable[[BaseException], None],
        on_busy: Callable[[str, bool], None],
        pulse: Pulse,
        recorded: asyncio.Event,
        memory: Budget | None = None,
        connections: Slots | None = None,
        limit: Limit | None = None,
    ) -> None:
        self.name = name
        self._task_name = f"deliveries to {name}"
        self.sender = sender
        self.bounds = bounds
        self.breaker = Breaker(bounds.breaker)
        self.disabled = False
        self.since_ms = 0
        self.last_answer_at = clock.monotonic()
        self.seconds = Histogram()
        self._clock = clock
        self._on_answer = on_answer
        self._on_error = on_error
        self._on_busy = on_busy
        self._memory = memory or Budget(_ALONE_BYTES, [name], _ALONE_BYTES)
        connections = connections or Slots(Budget(bounds.concurrency, [name], bounds.concurrency))
        self._caller = Caller(name, sender, connections, clock, bounds.longest_attempt)
        self._limit = limit
        if limit is not None:
            limit.share(self)
        self._pulse = pulse
        self._recorded = recorded
        self._firsts = FirstAttempts()
        self._retries = RetryLane(bounds.queue, bounds.concurrency)
        self._singles: deque[Delivery] = deque()
        self._is_sending_single = False
        self._picks = self._calls = 0
        self._due_since: float | None = None
        self._sending: set[Delivery] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._room = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._held = False

    def room(self) -> int:
        """How many more first attempts it takes now."""
        if self.blocked or self._firsts.size >= _MAX_QUEUED_BYTES or not self._memory.free(self.name):
            return 0
        return max(self.bounds.queue - len(self._firsts), 0)

    @property
    def half_empty(self) -> bool:
        """Whether it is worth reading on for: small refills would cost a fetch each."""
        return self.room() * 2 >= self.bounds.queue and self._memory.free(self.name) * 2 >= self._memory.reserve

    @property
    def blocked(self) -> bool:
        """Whether it takes nothing, full or not: disabled, at its end, or with an open breaker."""
        return self.disabled or self._held or self.breaker.state(self._clock.monotonic()) is State.OPEN

    @property
    def waiting(self) -> int:
        return len(self._firsts) + len(self._retries) + len(self._singles)

    @property
    def in_flight(self) -> int:
        return len(self._sending)

    def in_flight_of(self, shard: Shard) -> list[Delivery]:
        return [delivery for delivery in self._sending if delivery.shard is shard]

    def oldest_wait(self) -> float:
        """Seconds for which the oldest first attempt has stood in the queue."""
        oldest = self._firsts.oldest()
        return 0.0 if oldest is None else self._clock.monotonic() - oldest

    async def wait_for_room(self, seconds: float) -> None:
        """Return when a tenth of the queue is free, or after so long."""
        self._room.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._room.wait()
        except TimeoutError:
            return

    def offer(self, delivery: Delivery) -> None:
        """A first attempt. The caller has asked for `room`; one more does no harm."""
        delivery.queued_at = self._clock.monotonic()
        ready = self._firsts.add(delivery)
        self._account(delivery)
        if ready:
            self._work_on()

    def offer_retry(self, delivery: Delivery) -> bool:
        """A later attempt. False when there is no room, or the breaker is open."""
        if self.blocked or self._retries.full or not self._memory.free(self.name):
            return False
        self._retries.add(delivery, self._clock.monotonic())
        self._account(delivery)
        self._work_on()
        return True

    def retry_turn(self) -> float | None:
        """Seconds until a retry that had no room shall come back; None where that is not for its pace to say."""
        return None if self.blocked else self._retries.turn(self._clock.monotonic())

    def drop(self, belongs: Callable[[Delivery], bool]) -> list[Delivery]:
        """Forget what waits and belongs, and return it. It stays open where it is held."""
        dropped = [delivery for delivery in (*self._singles, *self._firsts, *self._retries) if belongs(delivery)]
        if dropped:
            self._singles = deque(delivery for delivery in self._singles if not belongs(delivery))
            under_way = [one for one in (*self._singles, *self._sending) if one.is_first]
            self._firsts.keep(lambda delivery: not belongs(delivery), under_way)
            self._retries.keep(lambda delivery: not belongs(delivery))
            self._release(dropped)
            self._after_pick()
        return dropped

    def hold(self) -> None:
        """Start nothing more; what is in flight goes on."""
        self._held = True

    async def quiet(self, shard: Shard | None = None) -> None:
        """Return when nothing (of this shard) is in flight."""
        while any(shard is None or delivery.shard is shard for delivery in self._sending):
            self._quiet.clear()
            await self._quiet.wait()

    async def aclose(self) -> None:
        """Break off what is in flight."""
        self.hold()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def due(self) -> bool:
        """Whether it would send something now, if its limit allows it."""
        return self._has_work() and self.breaker.state(self._clock.monotonic()) is not State.OPEN

    def broken_s(self) -> float:
        """Remaining seconds of an open breaker."""
        return self.breaker.wait(self._clock.monotonic())

    def break_for(self, seconds: float) -> None:
        """Another worker has found that the endpoint fails."""
        self.breaker.open_for(seconds, self._clock.monotonic())

    def _account(self, delivery: Delivery) -> None:
        if self._memory.scarce:
            delivery.event.slim()
        delivery.memory = delivery.event.memory
        self._memory.take(self.name, delivery.memory)

    def _release(self, deliveries: Iterable[Delivery]) -> None:
        """What has been attempted or dropped."""
        self._memory.give(self.name, sum(delivery.memory for delivery in deliveries))

    def stalled_s(self, *, behind: bool = False) -> float | None:
        """Seconds for which something has been due and nothing attempted, once that is a fault; asked every second. `behind`: what is
        due is still to be read. A delivery that waits for its schedule, Retry-After or an open breaker is not due."""
        now = self._clock.monotonic()
        limit = self._limit
        due = self.due() or self._caller.not_begun > 0 or (behind and not self.blocked)
        if not due or not self._recorded.is_set() or (limit is not None and limit.paused_s):
            self._due_since = None
            return None
        self._due_since = now if self._due_since is None else self._due_since
        if self._calls > self._caller.not_begun and not self._caller.lacks_descriptors:
            return None  # an attempt is under way
        stalled = now - self._due_since
        return stalled if stalled >= STALLED_S + (limit.round_s if limit is not None else 0.0) else None

    def _work_on(self) -> None:
        """One more task, where there is work for it."""
        if self._limit is not None and self._has_work():
            self._limit.nudge()
        if not self._has_work() or len(self._tasks) >= min(
            self.bounds.concurrency, self._calls + len(self._singles) + self._firsts.ready + len(self._retries)
        ):
            return
        if not self._tasks:
            self._on_busy(self.name, True)
        task = asyncio.create_task(self._run(), name=self._task_name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_error(error)
        if not self._tasks:
            self._on_busy(self.name, False)

    async def _run(self) -> None:
        try:
            await self._work()
        finally:
            # at once, not when the loop gets to `_ended`: what is offered in between would find a task that takes nothing any more
            self._tasks.discard(asyncio.current_task())

    async def _work(self) -> None:
        while self._has_work():
            if not self._recorded.is_set():
                await self._recorded.wait()
                continue  # it may be disabled by now, or its partition gone
            now = self._clock.monotonic()
            if not self.breaker.admits(self._calls, now):
                self._wake_after(self.breaker.wait(now))
                return
            if self._limit is None:
                going_on = await self._next()
            else:
                async with self._limit.attempt(self._admits) as admitted:
                    going_on = not admitted or await self._next()
            if not going_on:
                return

    def _admits(self) -> bool:
        """Whether an attempt that waited for the endpoint's limit is still to be made."""
        return self._has_work() and self._recorded.is_set() and self.breaker.admits(self._calls, self._clock.monotonic())

    async def _next(self) -> bool:
        """Attempt what comes next. False when there is nothing that may be sent now."""
        if not (self._has_work() and self._pulse.steady):
            return False
        if self._next_single:
            await self._attempt_single()
        else:
            await self._attempt(self._pick())
        return True

    def _has_work(self) -> bool:
        return bool(self._next_single or self._firsts.ready or self._retries) and not (self._held or self.disabled)

    @property
    def _next_single(self) -> bool:
        """One after the other: they may be of one entity."""
        return bool(self._singles) and not self._is_sending_single

    def _wake_after(self, seconds: float) -> None:
        """A probe in flight wakes the others when it ends; an open breaker ends by time."""
        if seconds > 0 and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds + 0.01, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._work_on()

    def _pick(self) -> list[Delivery]:
        """What goes out in the next call."""
        self._picks += 1
        count = self.sender.batch(self.waiting)
        if self._retries and (not self._firsts.ready or self._picks % _RETRY_SHARE == 0):
            return self._retries.take(count, self._clock.monotonic())
        picked = self._firsts.take(count)
        self._after_pick()
        return picked

    def _after_pick(self) -> None:
        if len(self._firsts) <= self.bounds.queue * 9 // 10:
            self._room.set()

    async def _attempt_single(self) -> None:
        self._is_sending_single = True
        try:
            await self._attempt([self._singles.popleft()])
        finally:
            self._is_sending_single = False

    async def _attempt(self, picked: list[Delivery]) -> None:
        self._sending.update(picked)
        self._calls += 1
        try:
            events = [delivery.event for delivery in picked]
            answer = await self._caller.call(events, lambda: self._may_send(picked))
        finally:
            self._calls -= 1
            self._sending.difference_update(picked)
            self._release(picked)
            self._quiet.set()
        if answer is not None:
            self.last_answer_at = self._clock.monotonic()
            self._due_since = None
        if answer is None or (answer.error_class is ErrorClass.FAULT and len(picked) > 1):
            # one of them may be what the sender stumbles over: the others must not share its attempts
            mine = [delivery for delivery in picked if not delivery.handed_over]
            self._singles.extend(mine)
            for delivery in mine:
                self._account(delivery)
            # the others are their partition's next owner's to retry
            others = [delivery for delivery in picked if delivery.handed_over]
            if answer is None:
                self._made(others)
            else:
                self._answered(others, answer)
        else:
            self._answered(picked, answer)
        self._work_on()

    def _may_send(self, picked: list[Delivery]) -> bool:
        """Whether a call that had to wait before it began is still to be made."""
        return not self._held and self._pulse.steady and not any(delivery.handed_over for delivery in picked)

    def _answered(self, picked: list[Delivery], answer: Answer) -> None:
        if answer.error_class is not ErrorClass.FAULT:
            self.seconds.observe(answer.ms / 1000)
            self.breaker.record(answer.blames_endpoint, self._clock.monotonic())
        if self._limit is not None and answer.retry_after is not None:
            self._limit.pause(min(answer.retry_after, self.bounds.longest_pause))
        for delivery in picked:
            self._on_answer(delivery, answer)
        self._made(picked)

    def _made(self, picked: list[Delivery]) -> None:
        """What came behind them of the same entities may go."""
        unanswered = {delivery.event.subject for delivery in self._singles if delivery.is_first}
        for subject in {delivery.event.subject for delivery in picked if delivery.is_first} - unanswered:
            self._firsts.made(subject)

"""What all sinks workers know of each endpoint: since when it is served, and whether it is disabled. Kept in `changecast.endpoints`."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.kafka import Cluster
from runtime.topics import read_to_end
from schemas.config import Subscription
from schemas.delivery import EndpointState
from sinks.alerting import level_reached
from sinks.outage import Outage, outage_of
from sinks.standing import Standing, has_expired, standing
from sinks.topics import beginning_id

log = logging.getLogger(__name__)

_FENCED = Backoff(0.1, 2.0)
_TRIES = 20
_ALWAYS = datetime.fromtimestamp(0, UTC)
"""The beginning of a subscription whose state can't be read: what it has had is known by the commits."""
_FAILING_BEFORE_TOLD = timedelta(seconds=60)
"""An endpoint that fails now and then does not write a record each time; five days of failing are counted from the first."""

_NOTES = 100
"""So often within `disable_after` it is written how an outage goes on: a worker that is started anew goes on from there."""


def _nobody(state: EndpointState) -> None:
    """Who listens is told later."""
    del state


class EndpointStates:
    """`on_change(state)` is called for each state that this or another worker wrote. `grace`: for so long is kept what a subscription
    had that no worker has."""

    def __init__(
        self,
        cluster: Cluster,
        producer: AIOKafkaProducer,
        clock: Clock,
        random: Random,
        *,
        disable_after: timedelta,
        grace: timedelta,
    ) -> None:
        self._cluster = cluster
        self._topic = cluster.topics.endpoints.name
        self._producer = producer
        self._clock = clock
        self._random = random
        self._disable_after = disable_after
        self._grace = grace
        self._served: set[str] = set()
        self._states: dict[str, EndpointState] = {}
        self._failing: dict[str, tuple[Outage, float]] = {}
        self._unwritten: set[str] = set()
        self._stuck: set[str] = set()
        self._some = asyncio.Event()
        self._end = 0
        self.on_change: Callable[[EndpointState], None] = _nobody

    async def load(self, subscriptions: Iterable[Subscription]) -> None:
        """Reads all states. A subscription that has none begins now, or `from` earlier, and that is written before it is served.

        Workers that meet it at once must agree on when it begins, or what is published in between is served in one's partitions and
        not in the other's. So one transactional id is for all of them, and who begins something reads what is there after its
        producer has fenced the others': there is one record of a beginning, whoever wrote it."""
        wanted = list(subscriptions)
        self._served = {subscription.name for subscription in wanted}
        await self._read()
        for attempt in itertools.count(1):
            if all(self._has_begun(subscription.name) for subscription in wanted):
                await self._come_back()
                return
            try:
                await self._begin(wanted)
            except KafkaError as problem:
                # fenced by another that does the same; a broker may say that in other words, and not whether it was written
                if attempt == _TRIES:
                    raise
                log.info("new subscriptions: what another worker has written is read, after %r", problem)
                await self._clock.sleep(_FENCED.delay(attempt, self._random))
                await self._read()

    def _has_begun(self, subscription: str) -> bool:
        state = self._states.get(subscription)
        return state is not None and not has_expired(state, self._clock.now(), self._grace)

    async def _come_back(self) -> None:
        for name in self._served:
            state = self._states[name]
            if state.removed_at is not None:
                log.info("subscription %s is back: it goes on where it was (removed at %s)", name, state.removed_at.isoformat())
                await self._write(state.model_copy(update={"removed_at": None}))
            elif state.stuck_since is not None:
                # who said so may have ended; who still finds it so says it again
                await self._write(state.model_copy(update={"stuck_since": None}))

    async def _read(self) -> None:
        async for record in read_to_end(self._cluster, self._topic):
            self._apply(record)
            self._end = record.offset + 1

    async def _begin(self, subscriptions: Iterable[Subscription]) -> None:
        """Raises KafkaError: ProducerFenced, mostly, when another worker has begun to do the same."""
        async with self._cluster.transactional_producer(beginning_id(self._cluster.topics)) as producer:
            await self._read()
            now = self._clock.now()
            new = [
                EndpointState(subscription=subscription.name, since=now - (subscription.since or timedelta()))
                for subscription in subscriptions
                if not self._has_begun(subscription.name)
            ]
            async with producer.transaction():
                # aiokafka commits over a record that the broker has refused: each must be known to be there
                keyed = [(state.subscription.encode(), state.to_json()) for state in new]
                await asyncio.gather(*(producer.send_and_wait(self._topic, value, key=key) for key, value in keyed))
        for state in new:
            self._states[state.subscription] = state
            log.info("subscription %s is new: it gets what is published from %s on", state.subscription, state.since.isoformat())

    def standing(self, subscription: str) -> Standing:
        if subscription in self._served:
            return Standing.SERVED
        return standing(self._states.get(subscription), self._clock.now(), self._grace)

    def kept(self) -> list[str]:
        """Subscriptions that the config does not have, and whose retries and place are kept."""
        return [name for name in self._states if self.standing(name) is Standing.KEPT]

    def kept_until(self, subscription: str) -> datetime | None:
        """None while a worker has it."""
        state = self._states.get(subscription)
        return None if state is None or state.removed_at is None else state.removed_at + self._grace

    def unknown_to_all(self, names: set[str]) -> None:
        """The leader of the group has learned which subscriptions no worker has: the grace period of these begins, that of others that
        some worker has is over."""
        for name in self.kept():
            state = self._states[name]
            if name in names and state.removed_at is None:
                log.warning(
                    "subscription %s is in no worker's config: its retries and its place are kept for %s "
                    "(`changecast endpoints forget %s` drops them)",
                    *(name, self._grace, name),
                )
                self._change(name, removed_at=self._clock.now())
            elif name not in names and state.removed_at is not None:
                self._change(name, removed_at=None)

    def since(self, subscription: str) -> datetime:
        return self._states[subscription].since

    def disabled(self, subscription: str) -> bool:
        state = self._states.get(subscription)
        return state is not None and state.disabled_at is not None

    def state(self, subscription: str) -> EndpointState:
        return self._states[subscription]

    def unwell(self) -> list[EndpointState]:
        """Those that fail, are disabled or stuck."""
        return [state for state in self._states.values() if state.failing_since or state.disabled_at or state.stuck_since]

    def stalled(self, subscription: str, seconds: float | None) -> None:
        """For so long something has been due here and nothing attempted; None when that is over, or not long enough. What another
        worker says stays: its deliveries are others."""
        state = self._states[subscription]
        if seconds is not None and state.stuck_since is None:
            self._stuck.add(subscription)
            self._change(subscription, stuck_since=self._clock.now() - timedelta(seconds=seconds))
        elif seconds is None and subscription in self._stuck:
            self._stuck.discard(subscription)
            self._change(subscription, stuck_since=None)

    def succeeded(self, subscription: str) -> None:
        if self._failing.pop(subscription, None) is not None or self._states[subscription].failing_since is not None:
            self._change(
                subscription, failing_since=None, failing_percent=0, failed_attempts=0, last_failed_at=None, counted_s=0.0
            )

    def failed(self, subscription: str) -> None:
        """An attempt failed. After `disable_after` of nothing else, the endpoint is disabled."""
        now, known = self._clock.now(), self._states[subscription]
        outage = self._outage(subscription, known, now)
        self._failing[subscription] = outage, self._clock.monotonic()
        percent = level_reached(outage.counted, self._disable_after)
        if known.failing_since is None or outage.first <= known.failing_since:
            percent = max(percent, known.failing_percent)
        fields: dict[str, Any] = {
            "failing_since": outage.first,
            "failing_percent": percent,
            "failed_attempts": outage.attempts,
            "last_failed_at": outage.last,
            "counted_s": outage.counted.total_seconds(),
        }
        if outage.ends(self._disable_after):
            reason = f"every attempt failed since {outage.first.isoformat(timespec='seconds')}, {outage.attempts} of them"
            self.disable(subscription, reason, **(fields | {"failing_percent": 100}))
        elif self._is_news(known, outage, percent, now):
            self._change(subscription, **fields)

    def _outage(self, subscription: str, known: EndpointState, now: datetime) -> Outage:
        """With the failure of this moment. Another worker may have seen the outage begin before this one."""
        of_all = outage_of(known)
        if (own := self._failing.get(subscription)) is None:
            return Outage(now, now) if of_all is None else of_all.failed_again(now, self._disable_after)
        outage, at = own
        passed = timedelta(seconds=self._clock.monotonic() - at)
        return outage.failed_again(now, self._disable_after, passed).joined_unless_begun_again(of_all, now)

    def _is_news(self, known: EndpointState, outage: Outage, percent: int, now: datetime) -> bool:
        """Whether the others should know: of an outage that begins, of the next level, and now and then of how it goes on."""
        if percent != known.failing_percent:
            return True
        if known.failing_since != outage.first:
            return now - outage.first >= _FAILING_BEFORE_TOLD or known.failing_since is not None
        return now - (known.last_failed_at or outage.first) >= self._disable_after / _NOTES

    def disable(self, subscription: str, reason: str, **fields: Any) -> None:
        """For all workers, until somebody enables it. `fields` of the state change with it."""
        if not self.disabled(subscription):
            log.warning(
                "endpoint %s is disabled: %s (`changecast endpoints enable %s` brings it back)",
                subscription,
                reason,
                subscription,
            )
            self._change(subscription, disabled_at=self._clock.now(), disabled_reason=reason, **fields)

    async def run(self) -> None:
        """Writes what changed here, reads what changed elsewhere. Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_behind())
            tasks.create_task(self._follow())

    def _change(self, subscription: str, **fields: Any) -> None:
        old = self._states[subscription]
        new = old.model_copy(update=fields)
        if new != old:
            self._states[subscription] = new
            self._unwritten.add(subscription)
            self._some.set()
            self.on_change(new)

    async def flush(self) -> None:
        while self._unwritten:
            if (state := self._states.get(self._unwritten.pop())) is not None:
                await self._write(state)

    async def _write_behind(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            await self.flush()

    async def _write(self, state: EndpointState) -> None:
        self._states[state.subscription] = state
        await self._producer.send_and_wait(self._topic, state.to_json(), key=state.subscription.encode(), headers=state.headers())

    async def _follow(self) -> None:
        consumer = self._cluster.consumer(group_id=None)
        await consumer.start()
        try:
            partition = TopicPartition(self._topic, 0)
            consumer.assign([partition])
            consumer.seek(partition, self._end)
            async for record in consumer:
                if record.value is None:
                    self._forget((record.key or b"").decode("utf-8", "replace"))
                elif (state := self._apply(record)) is not None:
                    self.on_change(state)
        finally:
            await consumer.stop()

    def _forget(self, subscription: str) -> None:
        """An operator wants nothing kept of it."""
        if subscription in self._served:
            log.warning("subscription %s is in the config, and can't be forgotten: its state is written again", subscription)
            self._unwritten.add(subscription)
            self._some.set()
        else:
            self._states.pop(subscription, None)

    def _apply(self, record: ConsumerRecord) -> EndpointState | None:
        name = (record.key or b"").decode("utf-8", "replace")
        if record.value is None:
            self._states.pop(name, None)
            return None
        try:
            state = EndpointState.read(record.value, record.headers)
        except ValueError as error:
            log.warning("%s-%d@%d is no endpoint state: %s", self._topic, record.partition, record.offset, error)
            # there is a state, by a newer version perhaps: the subscription goes on where it was, and does not begin again
            self._states.setdefault(name, EndpointState(subscription=name, since=_ALWAYS))
            return None
        known = self._states.get(state.subscription)
        if known is not None and _ended(known, state):
            # its failures are counted anew, or the next would go on from the first of the last outage
            self._failing.pop(state.subscription, None)
        self._states[state.subscription] = state
        return state


def _ended(before: EndpointState, after: EndpointState) -> bool:
    """Whether an outage has ended in between: by a success at some worker, or because the endpoint was enabled again."""
    failed, disabled = before.failing_since is not None, before.disabled_at is not None
    return (failed and after.failing_since is None) or (disabled and after.disabled_at is None)

"""Reads the retry topics of a shard: each delivery leaves its topic in time, to be sent, or to wait on in another."""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import KafkaError

from runtime.clock import Clock
from runtime.kafka import Cluster
from schemas.delivery import Outcome
from schemas.handover import LateAnswer
from sinks.delivery import Delivery
from sinks.endpoint import Endpoint
from sinks.event import NewerEvent, UnreadableEvent, read_event
from sinks.handover import late_answers
from sinks.parcel import NewerParcel, Parcel, UnreadableParcel, read_parcel
from sinks.settle import Settler
from sinks.shard import Shard
from sinks.standing import Standing
from sinks.states import EndpointStates
from sinks.topics import DELAYS
from sinks.tracker import MOST_OPEN
from sinks.unread import ROUND_S, UnreadRetries

log = logging.getLogger(__name__)

_WINDOW = 200
_WINDOW_BYTES = 512 * 1024
"""Of each retry topic so much is held in memory until it is due, or less where there are many partitions: see `window_bytes`."""
_WINDOWS_SHARE = 8
_SMALLEST_WINDOW_BYTES = 16 * 1024
_HELD_S = 1.0
"""What is due this soon is waited for; it takes no hop."""
_CROWDED_S = 1.0
"""Once a topic has been crowded for so long, the endpoint that holds most of its open retries takes them too slowly."""
_SHARES = 4
_POLL_MS = 500
_DELETE_EVERY_S = 60.0
_AHEAD_S = 60.0
"""Clocks of machines differ by less. A record that was written so far in the future is of a clock that was ahead."""
_LOOK_EVERY_S = 1.0


def window_bytes(total: int, partitions: int) -> int:
    """Of one retry topic in one partition, so that all of them together hold an eighth of `total` at most."""
    return max(min(total // _WINDOWS_SHARE // (partitions * len(DELAYS)), _WINDOW_BYTES), _SMALLEST_WINDOW_BYTES)


def leaves_at(parcel: Parcel, standing: Standing) -> float:
    """When a retry leaves its topic, in Unix seconds."""
    match standing:
        case Standing.SERVED:
            return min(parcel.ready, parcel.due)  # it may have been kept for longer while it was not served
        case Standing.KEPT:
            return parcel.ready
        case _:
            return 0.0


@dataclass(frozen=True, slots=True, order=True)
class _Waiting:
    at: float
    number: int
    topic: str
    offset: int
    parcel: Parcel


class Returns:
    """`window`: bytes of each retry topic that wait in memory. Retries of subscriptions that are not served here wait on, as long as
    those may come back (see `standing`)."""

    def __init__(
        self,
        cluster: Cluster,
        shard: Shard,
        endpoints: Mapping[str, Endpoint],
        settler: Settler,
        states: EndpointStates,
        clock: Clock,
        random: Random,
        window: int,
    ) -> None:
        self._cluster = cluster
        self._window_bytes = window
        self._shard = shard
        self._endpoints = endpoints
        self._settler = settler
        self._states = states
        self._clock = clock
        self._random = random
        self._heap: list[_Waiting] = []
        self._counts: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._numbers = itertools.count()
        self._dropped: Counter[str] = Counter()
        self._deleted: dict[str, int] = {}
        self._answers: dict[str, LateAnswer] = {}
        self._crowded_since: dict[str, float] = {}
        self._unread = UnreadRetries(shard)

    async def run(self) -> None:
        """Until the shard is closed or the task cancelled."""
        consumer = self._cluster.consumer(group_id=None, max_partition_fetch_bytes=self._window_bytes // 2)
        await consumer.start()
        try:
            partitions = {topic: TopicPartition(topic, self._shard.partition) for topic in self._shard.retries}
            consumer.assign(list(partitions.values()))
            for topic, partition in partitions.items():
                consumer.seek(partition, self._shard.retries[topic].position)
            next_delete = self._clock.monotonic() + _DELETE_EVERY_S
            next_look = self._clock.monotonic()
            while not self._shard.leaving:
                await self._read(consumer, partitions)
                if self._clock.monotonic() >= next_look:
                    self._end_removed()
                    next_look = self._clock.monotonic() + _LOOK_EVERY_S
                now = self._now()
                await self._look_up_answers(now)
                self._send_ready(now)
                self._unread.pass_on(now)
                self._relieve()
                if self._clock.monotonic() >= next_delete:
                    await self._delete_done()
                    next_delete = self._clock.monotonic() + _DELETE_EVERY_S
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer, partitions: Mapping[str, TopicPartition]) -> None:
        wait = min(max(self._heap[0].at - self._now(), 0.005), _POLL_MS / 1000) if self._heap else _POLL_MS / 1000
        open_for_more = [tp for topic, tp in partitions.items() if self._has_window(topic)]
        if not open_for_more:
            await self._clock.sleep(wait)
            return
        found = await consumer.getmany(*open_for_more, timeout_ms=int(wait * 1000), max_records=_WINDOW)
        for records in found.values():
            for record in records:
                self._take(record)

    def _has_window(self, topic: str) -> bool:
        return self._counts[topic] < _WINDOW and self._bytes[topic] < self._window_bytes and not self._crowded(topic)

    def _crowded(self, topic: str) -> bool:
        """Whether what one more read brings could be more than a commit can name. It stays in the topic."""
        return self._shard.retries[topic].open_count > MOST_OPEN - _WINDOW

    def _has_its_share(self, endpoint: Endpoint, topic: str) -> bool:
        """Whether the endpoint holds so much of a topic that is half full that others could find no room in it."""
        tracker = self._shard.retries[topic]
        return tracker.open_count * 2 > MOST_OPEN and len(tracker.open_of(endpoint.name)) * _SHARES > MOST_OPEN

    def _relieve(self) -> None:
        """What waits for the endpoint that holds most of a crowded topic goes on to another topic: those behind it are read on."""
        for topic, tracker in self._shard.retries.items():
            now = self._clock.monotonic()
            if not self._crowded(topic):
                self._crowded_since.pop(topic, None)
            elif now - self._crowded_since.setdefault(topic, now) > _CROWDED_S:
                del self._crowded_since[topic]
                endpoints = [self._endpoints[name] for name in tracker.by_open() if name in self._endpoints]
                next((endpoint for endpoint in endpoints if self._send_back(endpoint, topic)), None)

    def _send_back(self, endpoint: Endpoint, topic: str) -> int:
        """How many have been."""
        shard, now = self._shard, self._now()
        waiting = endpoint.drop(lambda delivery: delivery.shard is shard and delivery.held_topic == topic)
        for delivery in waiting:
            value, attempts = delivery.event.value, delivery.attempts
            origin = (delivery.topic, shard.partition, delivery.offset)
            parcel = Parcel(delivery.subscription, value, attempts, now, *origin, delivery.deferrals)
            shard.park(self._later(parcel, endpoint, now), now)
            shard.settle(topic, delivery.held_offset, delivery.subscription)
        if waiting:
            log.info("%s takes its retries slowly: %d of them wait on in other topics", endpoint.name, len(waiting))
        return len(waiting)

    def _take(self, record: ConsumerRecord) -> None:
        tracker = self._shard.retries[record.topic]
        if record.offset < tracker.position:
            return
        if self._shard.restored[record.topic].passes(record.offset):
            tracker.passed(record.offset)
            return
        try:
            parcel = read_parcel(record.value, record.headers)
        except NewerParcel as newer:
            self._unread.hold(record, newer, self._now())
            return
        except UnreadableParcel as error:
            log.warning("%s-%d@%d goes to the dead topic: %s", record.topic, record.partition, record.offset, error)
            self._shard.bury(
                record.key, record.value, reason="bad-retry", error=str(error), topic=record.topic, offset=record.offset
            )
            tracker.passed(record.offset)
            return
        self._shard.found(parcel, record.topic, record.offset)
        if (ahead := record.timestamp / 1000 - self._now()) > _AHEAD_S:
            # written again at once, by this clock: in the window it would hold up all behind it
            parcel = replace(parcel.shifted(ahead), ready=0.0)
        self._counts[record.topic] += 1
        self._bytes[record.topic] += len(parcel.value)
        heapq.heappush(
            self._heap,
            _Waiting(
                leaves_at(parcel, self._states.standing(parcel.subscription)),
                next(self._numbers),
                record.topic,
                record.offset,
                parcel,
            ),
        )

    def _end_removed(self) -> None:
        """What waits for a subscription that is removed by now does so no longer."""
        if any(waiting.parcel.subscription not in self._endpoints for waiting in self._heap):
            self._heap = [
                replace(waiting, at=leaves_at(waiting.parcel, self._states.standing(waiting.parcel.subscription)))
                for waiting in self._heap
            ]
            heapq.heapify(self._heap)

    async def _look_up_answers(self, now: float) -> None:
        """Of calls that were in flight when the partition moved, and are over by now."""
        self._answers = {}
        if any(waiting.parcel.awaits and waiting.parcel.due <= now for waiting in self._heap):
            self._answers = await late_answers(self._cluster, self._shard.partition)

    def _send_ready(self, now: float) -> None:
        while self._heap and self._heap[0].at <= now and not self._shard.leaving:
            waiting = heapq.heappop(self._heap)
            if 0 < waiting.parcel.due - now <= _HELD_S:
                held = _Waiting(waiting.parcel.due, waiting.number, waiting.topic, waiting.offset, waiting.parcel)
                heapq.heappush(self._heap, held)
                continue
            self._counts[waiting.topic] -= 1
            self._bytes[waiting.topic] -= len(waiting.parcel.value)
            self._pass_on(waiting, now)
        for subscription, count in self._dropped.items():
            log.warning("subscription %s was forgotten: %d of its retries are dropped", subscription, count)
        self._dropped.clear()

    def _pass_on(self, waiting: _Waiting, now: float) -> None:
        parcel, shard = waiting.parcel, self._shard
        endpoint = self._endpoints.get(parcel.subscription)
        if (answer := self._answers.get(parcel.awaits)) is not None:
            self._complete(waiting, answer, now)
        elif endpoint is None and self._ends(waiting):
            return
        elif parcel.due > now:
            self._hop(waiting, parcel, now)
        elif endpoint is None:
            until = self._states.kept_until(parcel.subscription)
            shard.park_kept(parcel, now, math.inf if until is None else until.timestamp())
            shard.settle(waiting.topic, waiting.offset, parcel.subscription)
        else:
            self._deliver(waiting, endpoint, now)

    def _ends(self, waiting: _Waiting) -> bool:
        """Whether this retry of a subscription that is not served here has ended with it."""
        parcel, shard = waiting.parcel, self._shard
        match self._states.standing(parcel.subscription):
            case Standing.FORGOTTEN:
                self._dropped[parcel.subscription] += 1
                shard.settle(waiting.topic, waiting.offset, parcel.subscription)
            case Standing.REMOVED:
                if (delivery := self._delivery(waiting)) is not None:
                    self._settler.end_removed(delivery)
            case _:
                return False
        return True

    def _complete(self, waiting: _Waiting, answer: LateAnswer, now: float) -> None:
        """The attempt was made by an earlier owner: what its answer means is done here."""
        parcel, shard = waiting.parcel, self._shard
        if answer.next_at is not None:
            due = answer.next_at.timestamp()
            shard.park(replace(parcel, attempts=answer.attempts, due=due, deferrals=0, awaits=""), now)
        elif answer.outcome is not Outcome.DELIVERED:
            shard.bury(
                _key_of(parcel.value),
                parcel.value,
                reason=answer.reason,
                error=answer.error,
                topic=parcel.topic,
                offset=parcel.offset,
                attempts=answer.attempts,
                subscription=parcel.subscription,
            )
        shard.settle(waiting.topic, waiting.offset, parcel.subscription)

    def _delivery(self, waiting: _Waiting) -> Delivery | None:
        """None where its event can't be read, which ends it, or makes it wait for a worker of a newer version."""
        parcel, shard = waiting.parcel, self._shard
        try:
            event = read_event(parcel.value)
        except NewerEvent:
            now = self._now()
            self._hop(waiting, parcel.in_turn(now, ROUND_S), now)
            return None
        except UnreadableEvent as error:
            shard.bury(None, parcel.value, reason="bad-event", error=str(error), topic=parcel.topic, offset=parcel.offset)
            shard.settle(waiting.topic, waiting.offset, parcel.subscription)
            return None
        return Delivery(
            *(parcel.subscription, event, shard, parcel.topic, parcel.offset, waiting.topic, waiting.offset),
            attempts=parcel.attempts,
            deferrals=parcel.deferrals,
        )

    def _deliver(self, waiting: _Waiting, endpoint: Endpoint, now: float) -> None:
        if (delivery := self._delivery(waiting)) is None:
            return
        if endpoint.disabled:
            self._settler.give_up(delivery)
        elif self._has_its_share(endpoint, waiting.topic) or not endpoint.offer_retry(delivery):
            self._hop(waiting, self._later(waiting.parcel, endpoint, now), now)

    def _later(self, parcel: Parcel, endpoint: Endpoint, now: float) -> Parcel:
        if (turn := endpoint.retry_turn()) is not None:
            return parcel.in_turn(now, turn)
        return parcel.deferred(now, self._random.random(), endpoint.breaker.wait(self._clock.monotonic()))

    def _hop(self, waiting: _Waiting, parcel: Parcel, now: float) -> None:
        self._shard.park(parcel, now)
        self._shard.settle(waiting.topic, waiting.offset, parcel.subscription)

    async def _delete_done(self) -> None:
        """Retry topics keep nothing by time: what is committed goes."""
        done = {}
        for topic, tracker in self._shard.retries.items():
            if (offset := tracker.last_committed) is not None and offset > self._deleted.get(topic, 0):
                done[TopicPartition(topic, self._shard.partition)] = RecordsToDelete(offset)
                self._deleted[topic] = offset
        if not done:
            return
        try:
            async with self._cluster.admin() as admin:
                await admin.delete_records(done)
        except KafkaError as problem:
            # they are in nobody's way, and are deleted with the next ones
            log.warning("retries that are done are not deleted from partition %d yet: %r", self._shard.partition, problem)
            for partition in done:
                self._deleted.pop(partition.topic)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _key_of(value: bytes) -> bytes | None:
    """The key of an event's record."""
    try:
        return read_event(value).subject.encode()
    except UnreadableEvent:
        return None

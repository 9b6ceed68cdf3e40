"""The common stream: every change event once, handed to the endpoints of the subscriptions that want it."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from runtime.clock import Clock
from sinks.delivery import Delivery
from sinks.directory import Directory
from sinks.endpoint import Endpoint
from sinks.event import Event, NewerEvent, UnreadableEvent, read_event
from sinks.shard import Shard

log = logging.getLogger(__name__)

_MAX_RECORDS = 500
_POLL_MS = 200
TURN_S = 0.002
"""After so long of handing over, deliveries get their turn: a page of a backlog would stop them all for a tenth of a second."""
_GRACE_S = 0.05
"""As long may a full queue hold up endpoints that have nothing to do."""
_STUCK_S = 1.0
"""A full queue that nobody empties for so long is not waited for at all."""


class Feed:
    """`shards`: those owned, by partition number. `busy`: the endpoints that have work. `taken`: records read, by topic;
    `handing_over`: some of them are in hand."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        shards: Mapping[int, Shard],
        directory: Directory,
        endpoints: Mapping[str, Endpoint],
        busy: set[str],
        clock: Clock,
    ) -> None:
        self._consumer = consumer
        self._shards = shards
        self._directory = directory
        self._endpoints = endpoints
        self._busy = busy
        self._clock = clock
        self.taken: Counter[str] = Counter()
        self.handing_over = False
        self._oldest_since = min((endpoint.since_ms for endpoint in endpoints.values()), default=sys.maxsize)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            batches = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
            # a rebalance may give this number to another shard while we wait for room: records belong to the one they were read for
            owned = [(self._shards.get(tp.partition), records) for tp, records in batches.items()]
            for tp, records in batches.items():
                self.taken[tp.topic] += len(records)
            self.handing_over = bool(batches)
            began = self._clock.monotonic()
            for shard, records in owned:
                for record in records:
                    if shard is None or shard.leaving:
                        break
                    try:
                        await self._hand_over(shard, record)
                    except NewerEvent as newer:
                        self._wait_at(record, newer)
                        break
                    if self._clock.monotonic() - began > TURN_S:
                        await self._clock.sleep(0)
                        began = self._clock.monotonic()
            self.handing_over = False

    def _wait_at(self, record: ConsumerRecord, newer: NewerEvent) -> None:
        """Nothing more is read of this partition until it is assigned again, to this worker or to a newer one."""
        where = (record.topic, record.partition, record.offset)
        log.warning("%s-%d waits at offset %d for a worker of a newer version of changecast: %s", *where, newer)
        partition = TopicPartition(record.topic, record.partition)
        if partition in self._consumer.assignment():
            self._consumer.pause(partition)
            self._consumer.seek(partition, record.offset)

    async def _hand_over(self, shard: Shard, record: ConsumerRecord) -> None:
        """Raises NewerEvent: the partition waits at this record, which only a newer version can read."""
        topic, offset = record.topic, record.offset
        if (reason := shard.waits.get(topic)) is not None:
            raise NewerEvent(reason)
        tracker = shard.commons[topic]
        if offset < tracker.position:
            return
        if shard.restored[topic].passes(offset) or record.timestamp < self._oldest_since:
            tracker.passed(offset)
            return
        if (event := self._read(shard, record)) is None:
            tracker.passed(offset)
            return
        wanting = self._directory.wanting(event)
        due = [name for name in wanting if self._is_due(shard, record, name)]
        for name in due:
            endpoint = self._endpoints[name]
            if shard.serves(name, topic, offset) and not endpoint.room() and not self._lags_elsewhere(name, topic):
                await self._wait_for_room(endpoint, shard)
        if shard.leaving:
            return
        # asked of all again: while we waited, some may have been given cursors of their own, and some have come back from theirs
        served = []
        for name in due:
            if not shard.serves(name, topic, offset):
                continue
            if self._endpoints[name].room():
                served.append(name)
            else:
                shard.detach(name, topic, offset)
        tracker.passed(offset, served, len(wanting))
        for name in served:
            self._endpoints[name].offer(first_attempt(event, name, shard, topic, offset))

    def _read(self, shard: Shard, record: ConsumerRecord) -> Event | None:
        """The event; None for a record that is none, which goes to the dead topic. Raises NewerEvent."""
        try:
            return read_event(record.value)
        except NewerEvent:
            raise
        except UnreadableEvent as error:
            log.warning("%s-%d@%d goes to the dead topic: %s", record.topic, record.partition, record.offset, error)
            shard.bury(record.key, record.value, reason="bad-event", error=str(error), topic=record.topic, offset=record.offset)
            return None

    def _is_due(self, shard: Shard, record: ConsumerRecord, name: str) -> bool:
        """Whether the subscription has not had the event before this process, nor was made after it."""
        return record.timestamp >= self._endpoints[name].since_ms and shard.restored[record.topic].leaves_open(
            record.offset, name
        )

    def _lags_elsewhere(self, name: str, topic: str) -> bool:
        """It has been waited for in vain in another partition; once is enough."""
        lags = (shard.lags.get((name, topic)) for shard in self._shards.values())
        return any(lag is not None and lag.until is None for lag in lags)

    async def _wait_for_room(self, endpoint: Endpoint, shard: Shard) -> None:
        """A full queue is waited for as long as that harms nobody: while all the others have work too, and it moves on."""
        started = self._clock.monotonic()
        while not (endpoint.room() or endpoint.blocked or shard.leaving):
            now = self._clock.monotonic()
            if now - max(endpoint.last_answer_at, started) > _STUCK_S:
                return
            if now - started > _GRACE_S and len(self._busy) < len(self._endpoints):
                return
            await endpoint.wait_for_room(_GRACE_S)


def first_attempt(event: Event, subscription: str, shard: Shard, topic: str, offset: int) -> Delivery:
    return Delivery(subscription, event, shard, topic, offset, held_topic=topic, held_offset=offset)

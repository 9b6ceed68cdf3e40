"""Reads on for the subscriptions of a shard that lag behind, each from its own cursor, as far as its endpoint has room."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from runtime.clock import Clock
from runtime.kafka import Cluster
from sinks.breaker import State
from sinks.directory import Directory
from sinks.endpoint import Endpoint
from sinks.event import Event, NewerEvent, UnreadableEvent, read_event
from sinks.feed import TURN_S, first_attempt
from sinks.lag import Lag
from sinks.shard import Shard

log = logging.getLogger(__name__)

_IDLE_S = 0.05
_POLL_MS = 500
_MAX_RECORDS = 500
_FETCH_BYTES = 256 * 1024
"""A cursor reads in small steps, and what was fetched ahead is thrown away when another's turn comes."""


class Trail:
    def __init__(
        self, cluster: Cluster, shard: Shard, directory: Directory, endpoints: Mapping[str, Endpoint], clock: Clock
    ) -> None:
        self._cluster = cluster
        self._shard = shard
        self._directory = directory
        self._endpoints = endpoints
        self._clock = clock
        self._turn = 0

    async def run(self) -> None:
        """Until the shard is closed or the task cancelled. Connects only once somebody lags."""
        while not self._behind():
            await self._clock.sleep(_IDLE_S)
        consumer = self._cluster.consumer(group_id=None, max_partition_fetch_bytes=_FETCH_BYTES)
        await consumer.start()
        try:
            while not self._shard.leaving:
                if (lag := self._next()) is None:
                    await self._clock.sleep(_IDLE_S)
                    continue
                try:
                    await self._advance(consumer, lag)
                except NewerEvent as newer:
                    log.warning(
                        "%s waits in %s-%d for a newer worker: %s", lag.subscription, lag.topic, self._shard.partition, newer
                    )
                    lag.waits = True
        finally:
            await consumer.stop()

    def _behind(self) -> list[Lag]:
        """Those that are served here. Nobody reads for the others; their cursors stand still."""
        return [
            lag
            for lag in self._shard.lags.values()
            if lag.until is None and not lag.waits and lag.subscription in self._endpoints
        ]

    def _next(self) -> Lag | None:
        """Whose turn it is, of those whose endpoint is at least half empty."""
        ready = [lag for lag in self._behind() if self._has_room(lag)]
        if not ready:
            return None
        self._turn += 1
        return ready[self._turn % len(ready)]

    def _has_room(self, lag: Lag) -> bool:
        endpoint = self._endpoints[lag.subscription]
        if lag.stale and endpoint.in_flight:
            return False
        if lag.tracker.position >= self._shard.commons[lag.topic].position and not self._is_well(endpoint):
            return False
        return endpoint.half_empty

    async def _advance(self, consumer: AIOKafkaConsumer, lag: Lag) -> None:
        shard, endpoint = self._shard, self._endpoints[lag.subscription]
        if lag.stale:
            lag.rewind()
        if self._caught_up(lag):
            return
        partition = TopicPartition(lag.topic, shard.partition)
        if consumer.assignment() != {partition}:
            consumer.assign([partition])
            consumer.seek(partition, lag.tracker.position)
        elif await consumer.position(partition) != lag.tracker.position:
            consumer.seek(partition, lag.tracker.position)
        found = await consumer.getmany(partition, timeout_ms=_POLL_MS, max_records=min(endpoint.room() or 1, _MAX_RECORDS))
        began = self._clock.monotonic()
        for record in found.get(partition, ()):
            if self._clock.monotonic() - began > TURN_S:
                await self._clock.sleep(0)
                began = self._clock.monotonic()
            if shard.leaving or lag.until is not None or self._caught_up(lag):
                return
            if not endpoint.room():
                return
            event = self._wanted(lag, endpoint, record)
            lag.tracker.passed(record.offset, [lag.subscription] if event else ())
            lag.dirty = True
            if event:
                endpoint.offer(first_attempt(event, lag.subscription, shard, lag.topic, record.offset))
        if not shard.leaving and lag.until is None and not found:
            # nothing but markers of transactions up to here
            lag.tracker.position = max(lag.tracker.position, await consumer.position(partition))
            self._caught_up(lag)

    def _wanted(self, lag: Lag, endpoint: Endpoint, record: ConsumerRecord) -> Event | None:
        """The event, if its subscription has not had it and wants it. Raises NewerEvent."""
        if record.timestamp < endpoint.since_ms or not lag.leaves_open(record.offset):
            return None
        try:
            event = read_event(record.value)
        except NewerEvent:
            raise
        except UnreadableEvent:
            return None  # the common stream has sent it to the dead topic
        return event if self._directory.wants(lag.subscription, event) else None

    def _caught_up(self, lag: Lag) -> bool:
        """Gives the subscription back to the common stream once nothing lies between them, and its endpoint is well."""
        if not self._shard.has_caught_up(lag):
            return False
        if self._is_well(self._endpoints[lag.subscription]):
            self._shard.attach(lag)
        return True

    def _is_well(self, endpoint: Endpoint) -> bool:
        return endpoint.breaker.state(self._clock.monotonic()) is State.CLOSED

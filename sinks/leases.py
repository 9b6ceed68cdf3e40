"""The leases of this worker's limited endpoints: reads `changecast.leases`, and writes what `lease_member` plans."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from runtime.clock import Clock
from runtime.kafka import Cluster
from schemas.lease import LeaseRecord
from sinks.lease_member import LeaseMember
from sinks.limits import Limit
from sinks.topics import leases_topic

log = logging.getLogger(__name__)

_TICK_S = 0.1
"""How often turns and heartbeats are looked at, while this worker stands in any line. Otherwise nothing runs."""
_LEAVE_S = 2.0
"""Leases that can't be released within this expire for the others."""


class KeyLease:
    """The lease of one limit."""

    def __init__(self, key: str, member: LeaseMember, clock: Clock, leases: Leases) -> None:
        self._key = key
        self._member = member
        self._clock = clock
        self._leases = leases

    def usable(self) -> bool:
        return self._member.usable(self._key, self._clock.monotonic())

    def held(self) -> bool:
        return self._member.held(self._key, self._clock.monotonic())

    def crowded(self) -> bool:
        return self._member.crowded(self._key)

    def ask(self) -> None:
        self._leases.ask(self._key)

    def ended(self) -> None:
        self._leases.look()


class Leases:
    """Without limits it has no connection. One for each life of a worker, since the identity in the log must be new."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._topic = leases_topic(cluster.topics).name
        self._member = LeaseMember(uuid.uuid4().hex)
        self._limits: dict[str, Limit] = {}
        self._asked: set[str] = set()
        self._some = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None

    def of(self, key: str) -> KeyLease:
        """For `limits_of`."""
        return KeyLease(key, self._member, self._clock, self)

    def serve(self, limits: Iterable[Limit]) -> None:
        """Before `run`."""
        self._limits = {limit.key: limit for limit in limits}

    def ask(self, key: str) -> None:
        if key not in self._asked:
            self._asked.add(key)
            self._some.set()

    def look(self) -> None:
        """A turn may be over."""
        self._some.set()

    async def run(self) -> None:
        """Until cancelled. Raises KafkaError, or NotReadBack: the worker's next life has a new identity."""
        if not self._limits:
            return
        self._producer = self._cluster.producer()
        await self._producer.start()
        consumer = self._cluster.consumer(group_id=None)
        await consumer.start()
        try:
            await self._load(consumer)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(consumer))
                tasks.create_task(self._write())
        finally:
            await consumer.stop()

    async def aclose(self) -> None:
        """Release all leases, after `run` has been cancelled and nothing is in flight any more."""
        if self._producer is None:
            return
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._leave(self._producer)
        except (KafkaError, TimeoutError) as problem:
            log.info("leases were not released, and expire: %r", problem)
        finally:
            await self._producer.stop()

    async def _leave(self, producer: AIOKafkaProducer) -> None:
        if (record := self._member.leave(self._limits, self._clock.monotonic())) is not None:
            await self._send(producer, record)

    async def _load(self, consumer: AIOKafkaConsumer) -> None:
        """All that the topic keeps: the lines as they are now."""
        partition = TopicPartition(self._topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    self._read(record)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            self._read(record)
            self._some.set()

    async def _write(self) -> None:
        assert self._producer is not None
        while True:
            self._some.clear()
            if (record := self._plan()) is not None:
                await self._send(self._producer, record)
            elif self._member.active:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_TICK_S):
                        await self._some.wait()
            else:
                await self._some.wait()

    def _plan(self) -> LeaseRecord | None:
        now = self._clock.monotonic()
        if not self._member.ready(now):
            return None
        record = self._member.plan(self._limits, now, self._asked)
        self._asked.clear()  # what is due is claimed by now; the others ask again when they are
        return record

    async def _send(self, producer: AIOKafkaProducer, record: LeaseRecord) -> None:
        await producer.send_and_wait(self._topic, record.to_json(), key=record.worker.encode(), partition=0)

    def _read(self, record: ConsumerRecord) -> None:
        try:
            lease_record = LeaseRecord.model_validate_json(record.value or b"")
        except ValidationError as error:
            log.warning("%s@%d is skipped: not a lease record (%d errors)", self._topic, record.offset, error.error_count())
            return
        for eviction in lease_record.evictions:
            log.info("leases of worker %s: evicted by %s after it fell silent", eviction.worker, lease_record.worker)
        now = self._clock.monotonic()
        for key in self._member.read(record.offset, lease_record, now):
            limit = self._limits.get(key)
            self._member.begin(key, limit, now)
            if limit is not None:
                limit.take_over(self._member.predecessor(key))
        if lease_record.worker == self._member.worker:
            for limit in self._limits.values():
                limit.wake()

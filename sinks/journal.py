"""Every attempt as a record in `changecast.deliveries`, written behind the deliveries and not in their way."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import lru_cache
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from runtime.clock import Clock
from schemas.topics import Topic

Record = dict[str, Any]

GATHER_S = 0.05
"""Records are gathered for so long: at some hundred deliveries a second, each record would be a request of its own."""
BATCH_BYTES = 256 * 1024
"""The producer's `max_batch_size`: what a second of saturated deliveries writes is a few requests."""
_MAX_WAITING = 50_000
"""Records that wait for the broker. Beyond it deliveries go on and the oldest records are given up: the log says how many."""
_PART = 200
"""Records are written out so many at a time: a millisecond or two, in which no delivery moves."""


class Journal:
    """Records of one subscription are in one partition, in order, where Kafka's own clients would put them. Whole batches are handed
    to the producer: one `send` for each record would cost a tenth of all that a delivery costs."""

    def __init__(self, producer: AIOKafkaProducer, topic: Topic, clock: Clock) -> None:
        self._producer = producer
        self._topic = topic.name
        self._clock = clock
        self._waiting: deque[tuple[str, Record]] = deque(maxlen=_MAX_WAITING)
        self._some = asyncio.Event()
        self._sending = asyncio.Lock()
        partitions, partitioner = list(range(topic.partitions)), DefaultPartitioner()
        self._partition_of = lru_cache(maxsize=None)(lambda key: partitioner(key, partitions, partitions))
        self.lost = 0

    def write(self, subscription: str, record: Record) -> None:
        """`record`: the fields of an Attempt, times in UTC."""
        if len(self._waiting) == _MAX_WAITING:
            self.lost += 1
        self._waiting.append((subscription, record))
        self._some.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._some.wait()
            await self._clock.sleep(GATHER_S)
            self._some.clear()
            await self._send()

    async def flush(self) -> None:
        """Return when all that was written is acknowledged. Raises KafkaError."""
        await self._send()
        await self._producer.flush()

    async def _send(self) -> None:
        async with self._sending:
            batches: dict[int, BatchBuilder] = {}
            while self._waiting:
                for _ in range(min(len(self._waiting), _PART)):
                    await self._append(batches, *self._waiting.popleft())
                await self._clock.sleep(0)
            for partition, batch in batches.items():
                await self._hand_over(partition, batch)

    async def _append(self, batches: dict[int, BatchBuilder], subscription: str, record: Record) -> None:
        key, value = subscription.encode(), orjson.dumps(record, option=orjson.OPT_UTC_Z)
        partition = self._partition_of(key)
        batch = batches.get(partition)
        if batch is not None and batch.append(key=key, value=value, timestamp=None) is not None:
            return
        if batch is not None:
            await self._hand_over(partition, batch)
        batch = batches[partition] = self._producer.create_batch()
        batch.append(key=key, value=value, timestamp=None)  # a batch takes its first record, however large

    async def _hand_over(self, partition: int, batch: BatchBuilder) -> None:
        count = batch.record_count()
        sent = await self._producer.send_batch(batch, self._topic, partition=partition)
        sent.add_done_callback(lambda sent: self._acknowledged(sent, count))

    def _acknowledged(self, sent: asyncio.Future[object], count: int) -> None:
        if not sent.cancelled() and isinstance(sent.exception(), KafkaError):
            self.lost += count

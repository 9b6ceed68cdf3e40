"""The only place that commits: a batch's outputs and its input offset in one transaction, one producer for each input partition."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import RecordMetadata

from runtime.kafka import Cluster
from runtime.offsets import committed_offsets
from streams.unread import next_record

log = logging.getLogger(__name__)

_MAX_BATCH_BYTES = 1 << 20
"""Records go out in large batches; the default of 16 KiB makes a round trip of every dozen events."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the transaction. It goes to the partition of the input, since topics of one provider have equal counts."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class PassedOver(Exception):
    """The first event handed over is not the first behind the committed offset: to commit it would lose those between."""


class TransactionalOutput:
    """One input partition's way out.

    `start` fences the partition's last owner and reads the offset that it committed; `fresh` then drops what that offset
    covers, since Faust may resume from an earlier one, and hands some events over twice. `begin_at` proves that it does not
    resume from a later one: what it still had in hand of an earlier ownership would look the same.
    """

    def __init__(self, cluster: Cluster, group: str, tp: TopicPartition) -> None:
        self._cluster = cluster
        self._group = group
        self._tp = tp
        self._producer: AIOKafkaProducer | None = None
        self.next_offset = 0

    async def start(self) -> None:
        transactional_id = f"{self._group}-{self._tp.topic}-{self._tp.partition}"
        # known before it is started: a start that is broken off is stopped like any other
        self._producer = self._cluster.transactional_producer(transactional_id, max_batch_size=_MAX_BATCH_BYTES)
        await self._producer.start()
        # after the start, which has settled what the last owner left open
        committed = (await committed_offsets(self._cluster, self._group, [self._tp]))[self._tp]
        self.next_offset = committed.offset if committed is not None else 0

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def begin_at(self, offset: int) -> None:
        """`offset`: of the first fresh event. Raises PassedOver when the partition holds one between that and the committed offset.
        What Kafka has deleted between the two, it says: that is lost to the streams, and can be read again from the provider."""
        if offset == self.next_offset:
            return
        consumer = self._cluster.consumer(isolation="read_uncommitted", group_id=None)
        await consumer.start()
        try:
            first = await next_record(consumer, self._tp, self.next_offset)
            begins = (await consumer.beginning_offsets([self._tp]))[self._tp]
        finally:
            await consumer.stop()
        if begins > self.next_offset:
            log.critical(
                "%s/%d: what stood at offsets %d to %d, up to %d changes, was deleted before the streams read it: they were off for longer"
                " than the topic keeps its records. `changecast provider backfill %s --since ...` reads that time again",
                *(self._tp.topic, self._tp.partition, self.next_offset, begins - 1, begins - self.next_offset),
                self._tp.topic.rpartition(".")[2],
            )
        if first is None or first < offset:
            raise PassedOver(f"{self._tp.topic}/{self._tp.partition} goes on at {offset}, and {first} was not handed over")

    def fresh(self, events: Iterable[Any]) -> list[Any]:
        """The events not covered by the committed offset, each offset once."""
        expected, kept = self.next_offset, []
        for event in events:
            if event.message.offset >= expected:
                expected = event.message.offset + 1
                kept.append(event)
        return kept

    async def commit(self, records: Iterable[Record], next_offset: int | None) -> dict[str, int]:
        """Publish the records and commit the offset, both or neither. None: no input has been taken. Returns where each topic's
        partition then stands: behind the last of these records."""
        assert self._producer is not None
        sent: list[tuple[str, asyncio.Future[RecordMetadata]]] = []
        async with self._producer.transaction():
            for record in records:
                future = await self._producer.send(
                    record.topic, record.value, key=record.key, partition=self._tp.partition, headers=list(record.headers)
                )
                sent.append((record.topic, future))
            # aiokafka commits over a record that the broker has refused: each must be known to be there
            written = await asyncio.gather(*(future for _, future in sent))
            if next_offset is not None:
                await self._producer.send_offsets_to_transaction({self._tp: next_offset}, self._group)
        if next_offset is not None:
            self.next_offset = next_offset
        return {topic: metadata.offset + 1 for (topic, _), metadata in zip(sent, written, strict=True)}

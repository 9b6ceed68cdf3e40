"""A span of time of some topics, read once: by the records' times, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from runtime.kafka import Cluster

Report = Callable[[int, int], None]
"""`report(done, total)` in offsets."""
Offsets = Mapping[TopicPartition, int]

_POLL_MS = 200
_MAX_RECORDS = 2000
_FETCH_BYTES = 2 * 1024 * 1024
_STANDS_STILL_S = 90.0
"""A transaction that its writer has left open ends within a minute, and holds up for so long what stands behind it."""
_OUT_OF_ORDER_MS = 60_000
"""Records of several writers stand in a topic as they came, which is not quite by their times."""


@dataclass(frozen=True)
class Span:
    """From `since` on, and before `until`; None: up to what stands in the topic when the reading begins."""

    since: datetime
    until: datetime | None = None

    @property
    def since_ms(self) -> int:
        return int(self.since.timestamp() * 1000)

    @property
    def until_ms(self) -> int | None:
        return None if self.until is None else int(self.until.timestamp() * 1000)

    def holds(self, record: ConsumerRecord) -> bool:
        until = self.until_ms
        return bool(record.timestamp >= self.since_ms and (until is None or record.timestamp < until))

    @classmethod
    def last(cls, length: timedelta) -> Span:
        return cls(datetime.now(UTC) - length)


def _unseen(done: int, total: int) -> None:
    del done, total


async def read_span(
    cluster: Cluster, topics: Iterable[str], span: Span, report: Report = _unseen
) -> AsyncIterator[ConsumerRecord]:
    """The committed records of the span, each partition in order, the partitions side by side. A topic that is not there is empty."""
    consumer = reader(cluster)
    await consumer.start()
    try:
        starts, ends = await _bounds(cluster, consumer, list(topics), span)
        async for record in read_between(consumer, starts, ends, report):
            if span.holds(record):
                yield record
    finally:
        await consumer.stop()


def reader(cluster: Cluster) -> AIOKafkaConsumer:
    """A consumer for `read_between`; to be started."""
    return cluster.consumer(group_id=None, max_partition_fetch_bytes=_FETCH_BYTES)


async def read_between(
    consumer: AIOKafkaConsumer, starts: Offsets, ends: Offsets, report: Report = _unseen
) -> AsyncIterator[ConsumerRecord]:
    """The committed records from each of these offsets up to before its end. A start is before its end."""
    total = sum(ends[partition] - start for partition, start in starts.items())
    consumer.assign(list(starts))
    for partition, start in starts.items():
        consumer.seek(partition, start)
    done = dict(starts)
    pending = set(starts)
    moved_at = time.monotonic()
    while pending:
        for records in (await consumer.getmany(*pending, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)).values():
            for record in records:
                yield record
        # the position passes what no record ever shows: markers of transactions, records of aborted ones
        positions = {partition: await consumer.position(partition) for partition in pending}
        if any(position != done[partition] for partition, position in positions.items()):
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > _STANDS_STILL_S:
            raise click.ClickException(
                f"{', '.join(sorted({partition.topic for partition in pending}))}: for {_STANDS_STILL_S:.0f} s Kafka has given nothing"
                " that still stands there; try again, and look at its log if that helps nothing"
            )
        done.update(positions)
        pending = {partition for partition in pending if done[partition] < ends[partition]}
        report(sum(min(done[partition], ends[partition]) - start for partition, start in starts.items()), total)


async def _bounds(
    cluster: Cluster, consumer: AIOKafkaConsumer, topics: list[str], span: Span
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Where each partition that has something in the span begins, and where all of them end."""
    partitions = await partitions_of(cluster, topics)
    if not partitions:
        return {}, {}
    ends = await consumer.end_offsets(partitions)
    if span.until_ms is not None:
        later = await consumer.offsets_for_times(dict.fromkeys(partitions, span.until_ms + _OUT_OF_ORDER_MS))
        ends |= {partition: at.offset for partition, at in later.items() if at is not None}
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, span.since_ms))
    starts = {partition: at.offset for partition, at in found.items() if at is not None and at.offset < ends[partition]}
    return starts, ends


async def partitions_of(cluster: Cluster, topics: list[str]) -> list[TopicPartition]:
    async with cluster.admin() as admin:
        existing = set(await admin.list_topics())
        described = await admin.describe_topics([topic for topic in topics if topic in existing])
    return [
        TopicPartition(description["topic"], partition["partition"])
        for description in described
        for partition in description["partitions"]
    ]

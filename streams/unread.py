"""Whether a record of a partition has been passed over: asked of the broker, since nothing else knows.

An offset without a record is no sign of it: transactions leave markers, which no consumer hands over.
"""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition

_PROBE_MS = 5_000


async def next_record(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> int | None:
    """The offset of the first record at or behind `offset`; None where there is none. The consumer belongs to no group, and is
    assigned the partition."""
    consumer.assign([tp])
    end = (await consumer.end_offsets([tp]))[tp]
    if offset >= end:
        return None
    consumer.seek(tp, offset)
    records = await consumer.getmany(tp, timeout_ms=_PROBE_MS, max_records=1)
    return records[tp][0].offset if records else None

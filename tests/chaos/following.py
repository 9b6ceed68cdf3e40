"""Following topics while their broker comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from runtime.kafka import Cluster


async def follow(
    cluster: Cluster, topics: list[str], take: Callable[[ConsumerRecord], None], meanwhile: Callable[[], None]
) -> None:
    """Until cancelled. `take` is called with each committed record, with some again after the broker was away; `meanwhile` several times
    a second."""
    consumer: AIOKafkaConsumer | None = None
    try:
        while True:
            meanwhile()
            try:
                if consumer is None:
                    consumer = cluster.consumer(*topics, group_id=None)
                    await consumer.start()
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        take(record)
            except (KafkaError, OSError):
                consumer = None
                await asyncio.sleep(0.5)
    finally:
        if consumer is not None:
            await consumer.stop()

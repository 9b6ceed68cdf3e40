"""How many deliveries wait for their next attempt, by subscription: what stands in the retry topics and is not settled yet."""

from __future__ import annotations

from collections import Counter

from aiokafka import TopicPartition

from changecast.deliveries.span import Report, partitions_of, read_between, reader
from runtime.amounts import amount
from runtime.kafka import Cluster
from sinks.resuming import resumed
from sinks.topics import retry_topics

MOST = 100_000
"""Records that are read to be counted: each comes with its event, so these are some hundred MB."""


class TooMany(Exception):
    """So many wait that they are not counted by subscription. `most`: how many there may be at most, markers of transactions among
    them."""

    def __init__(self, most: int) -> None:
        super().__init__(f"up to {amount(most, 'delivery waits', 'deliveries wait')}")
        self.most = most


async def parked(cluster: Cluster, report: Report, most: int = MOST) -> Counter[str]:
    """As of the workers' last commits, which are less than a second old while they run. Raises TooMany."""
    partitions = await partitions_of(cluster, [topic.name for topic in retry_topics(cluster.topics).values()])
    if not partitions:
        return Counter()
    positions, ends = await resumed(cluster, partitions)
    starts = {partition: at.offset for partition, at in positions.items() if at.offset < ends[partition]}
    if (ahead := sum(ends[partition] - start for partition, start in starts.items())) > most:
        raise TooMany(ahead)
    found: Counter[str] = Counter()
    async with reader(cluster) as consumer:
        async for record in read_between(consumer, starts, ends, report):
            if not positions[TopicPartition(record.topic, record.partition)].passes(record.offset):
                found[(record.key or b"").decode("utf-8", "replace")] += 1
    return found

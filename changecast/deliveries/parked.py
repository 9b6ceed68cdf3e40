"""How many deliveries wait for their next attempt, by subscription: what stands in the retry topics and is not settled yet."""

from __future__ import annotations

from collections import Counter

from aiokafka import TopicPartition

from changecast.deliveries.span import Report, partitions_of, read_between, reader
from runtime.amounts import amount
from runtime.kafka import Cluster
from runtime.offsets import committed_offsets
from sinks.topics import group_id, retry_topics
from sinks.tracker import Position, decode

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
    async with reader(cluster) as looking:
        # a consumer that does not know a topic asks for each by itself, and waits in between
        looking.assign(partitions)
        looking.pause(*partitions)
        positions = await _positions(cluster, partitions, await looking.beginning_offsets(partitions))
        ends = await looking.end_offsets(partitions)
    starts = {partition: at.offset for partition, at in positions.items() if at.offset < ends[partition]}
    if (ahead := sum(ends[partition] - start for partition, start in starts.items())) > most:
        raise TooMany(ahead)
    found: Counter[str] = Counter()
    # another one: a consumer that is assigned anew while it looks for its first positions may never fetch
    async with reader(cluster) as consumer:
        async for record in read_between(consumer, starts, ends, report):
            if not positions[TopicPartition(record.topic, record.partition)].passes(record.offset):
                found[(record.key or b"").decode("utf-8", "replace")] += 1
    return found


async def _positions(
    cluster: Cluster, partitions: list[TopicPartition], begins: dict[TopicPartition, int]
) -> dict[TopicPartition, Position]:
    """Where the workers go on, as they would see it themselves."""
    committed = await committed_offsets(cluster, group_id(cluster.topics), partitions)
    positions = {}
    for partition in partitions:
        commit, begin = committed.get(partition), begins[partition]
        if commit is None or commit.offset < begin:
            positions[partition] = Position(begin, begin)
        else:
            positions[partition] = decode(commit.offset, commit.metadata)
    return positions

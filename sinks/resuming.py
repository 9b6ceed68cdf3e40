"""Where workers go on in the topics that they read, by what has been committed; for them, and for who looks on."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import TopicPartition

from runtime.kafka import Cluster
from runtime.offsets import committed_offsets
from sinks.topics import group_id
from sinks.tracker import Position, decode

_Offsets = dict[TopicPartition, int]


async def resumed(cluster: Cluster, partitions: Sequence[TopicPartition]) -> tuple[dict[TopicPartition, Position], _Offsets]:
    """Where each partition goes on, and where it ends. What is deleted already is passed."""
    begins, ends = await _bounds(cluster, partitions)
    committed = await committed_offsets(cluster, group_id(cluster.topics), partitions)
    positions = {}
    for partition in partitions:
        commit = committed[partition]
        if commit is None or commit.offset < begins[partition]:
            positions[partition] = Position(begins[partition], begins[partition])
        else:
            positions[partition] = decode(commit.offset, commit.metadata)
    return positions, ends


async def _bounds(cluster: Cluster, partitions: Sequence[TopicPartition]) -> tuple[_Offsets, _Offsets]:
    """Where the partitions begin, and where they end.

    Asked of a consumer that knows all these topics: one that does not would ask for each topic's metadata by itself, and wait a
    tenth of a second between two questions."""
    consumer = cluster.consumer(group_id=None)
    await consumer.start()
    try:
        consumer.assign(partitions)
        consumer.pause(*partitions)
        begins: _Offsets = await consumer.beginning_offsets(partitions)
        ends: _Offsets = await consumer.end_offsets(partitions)
        return begins, ends
    finally:
        await consumer.stop()

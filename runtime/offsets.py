"""What a consumer group has committed, read so that an answer is the truth: no offset is never taken for an error. And how far behind
the end of its topic a consumer is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    IllegalStateError,
    NotCoordinatorForGroupError,
)
from aiokafka.structs import OffsetAndMetadata

from runtime.kafka import Cluster

_PASSING = (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
"""A coordinator that is being made or moved: on a new cluster, and after a broker's restart."""
_WITHIN_S = 30.0
_AGAIN_S = 0.2
_KNOWN_WITHIN_S = 1.0
"""A position that is known is told at once, also by Faust's consumer, whose thread may be busy for a moment."""


async def committed_offsets(
    cluster: Cluster, group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata | None]:
    """Each partition's committed offset; None where the group has none. Raises TimeoutError when no coordinator answers."""
    async with asyncio.timeout(_WITHIN_S), cluster.admin() as admin:
        while True:
            try:
                answer = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
            except _PASSING:
                await asyncio.sleep(_AGAIN_S)
                continue
            # aiokafka passes over an error of the whole request, and then gives nothing at all
            if all(tp in answer for tp in partitions):
                return {tp: answer[tp] if answer[tp].offset >= 0 else None for tp in partitions}
            await asyncio.sleep(_AGAIN_S)


async def records_behind(consumer: Any, tp: TopicPartition, settled: int, *, busy: bool) -> int | None:
    """Records from `settled` to the end, by what the consumer was last told of the end: no request is made for it. `busy`: some that
    it has read are not settled yet. None while that is not known: before the first answer, and where the partition is another's now.

    The end of a topic that is written in transactions is a marker, which no record ever shows, but the consumer's position passes it.
    So without the position, a reader that has settled all would seem to be one behind for ever.
    """
    if tp not in consumer.assignment() or (end := consumer.highwater(tp)) is None:
        return None
    try:
        async with asyncio.timeout(_KNOWN_WITHIN_S):
            position = await consumer.position(tp)
    except (TimeoutError, IllegalStateError):
        return None
    return max(end - settled, 0) if busy or position is None or position < end else 0

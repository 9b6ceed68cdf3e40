"""What a consumer group has committed, read so that an answer is the truth: no offset is never taken for an error."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import TopicPartition
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
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

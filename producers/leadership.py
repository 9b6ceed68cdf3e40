"""Who polls: of all producers workers on a cluster one leads, the others stand by.

Kafka's own group membership decides. The workers join one consumer group on the cursors topic, which has one partition;
whoever holds it leads. A killed leader's session ends after ten seconds, and another takes over. A leader that was only
slow is fenced by the transactional ids (see `writer.py`): membership says who should poll, fencing makes sure. One that stood
still sends no request any more and joins anew (see `runtime/pulse.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Self

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from runtime.kafka import Cluster

log = logging.getLogger(__name__)

_POLL_MS = 1_000


def group_of(cluster: Cluster) -> str:
    """The consumer group whose members are the producers workers."""
    return f"{cluster.topics.prefix}-producers"


class Leadership(ConsumerRebalanceListener):  # type: ignore[misc]
    """`async with Leadership(cluster) as leadership`, then wait for `gained`, and stop work when `lost` is set. `stood_by`: another
    worker has led since this one joined."""

    def __init__(self, cluster: Cluster) -> None:
        self._topic = cluster.topics.cursors.name
        self._consumer = cluster.consumer(
            group_id=group_of(cluster),
            auto_offset_reset="latest",
            # a worker that joins must not take the lead from the one that has it
            partition_assignment_strategy=[StickyPartitionAssignor],
        )
        self._heartbeat: asyncio.Task[None] | None = None
        self.stood_by = False
        self.gained = asyncio.Event()
        self.lost = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._consumer.subscribe([self._topic], listener=self)
        await self._consumer.start()
        self._heartbeat = asyncio.create_task(self._stay_a_member(), name="leadership")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._heartbeat is not None
        self._heartbeat.cancel()
        await asyncio.gather(self._heartbeat, return_exceptions=True)
        await self._consumer.stop()

    async def _stay_a_member(self) -> None:
        """A member that never polls is put out of the group; what it reads is of no use here."""
        while True:
            await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=500)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        if list(assigned):
            if not self.gained.is_set():
                log.info("this worker polls the providers")
            self.lost.clear()
            self.gained.set()
            return
        log.info("another worker polls the providers; this one stands by")
        self.stood_by = True
        if self.gained.is_set():
            self.gained.clear()
            self.lost.set()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Every member's join revokes and assigns again: the assignment that follows tells who leads."""

"""A lane: one partition of one raw topic, from the events that Faust hands over to the transaction that publishes them.

Lanes run side by side, and nothing in one waits for another. A lane's batch goes through four steps, in this order:
outcome worked out (dedupe, enrichment), tables written, changelog acknowledged, outputs and offset committed. A kill between any
two of them replays the batch from its first offset, and every step gives the same result for the same position.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from runtime.kafka import Cluster
from streams.output import Record, TransactionalOutput
from streams.tables import ChangelogTable, Write, acknowledged

log = logging.getLogger(__name__)

MAX_BATCH = 300
"""Events a transaction: beyond this, throughput gains little and a replay costs more."""
GATHER_S = 0.02
"""How long a batch waits for company: a fifth of the p99 that 100 events/s are to be published in."""
STOP_S = 5.0


@dataclass
class BatchOutcome:
    """What a batch publishes, and what it writes into each table."""

    records: list[Record] = field(default_factory=list)
    writes: list[tuple[ChangelogTable, list[Write]]] = field(default_factory=list)


Work = Callable[[Sequence[Any]], Awaitable[BatchOutcome]]


class Lane:
    """Batches and publishes the events of one input partition. Whatever it raises ends the worker (see `worker.py`)."""

    def __init__(
        self, tp: TopicPartition, cluster: Cluster, group: str, changelog: AIOKafkaProducer, stream: Any, work: Work
    ) -> None:
        self.tp = tp
        self._output = TransactionalOutput(cluster, group, tp)
        self._changelog = changelog
        self._stream = stream
        self._work = work
        self._waiting: deque[Any] = deque()
        self._arrived = asyncio.Event()
        self._started = False

    def add(self, event: Any) -> None:
        self._waiting.append(event)
        self._arrived.set()

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            if len(self._waiting) < MAX_BATCH:
                await asyncio.sleep(GATHER_S)
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]
            if not self._waiting:
                self._arrived.clear()
            await self._publish(batch)

    async def _publish(self, batch: Sequence[Any]) -> None:
        if not self._started:
            await self._output.start(batch[0].message.offset)
            self._started = True
        events = self._output.fresh(batch)
        if events:
            outcome = await self._work(events)
            for table, writes in outcome.writes:
                table.apply(events[0], writes)
            await acknowledged(self._changelog, self.tp.partition, outcome.writes)
            await self._output.commit(outcome.records, events[-1].message.offset + 1)
        for event in batch:
            await self._stream.ack(event)

    async def stop(self) -> None:
        """Let the partition go. What was in hand is handed over again to the next owner, whose start fences this one."""
        try:
            async with asyncio.timeout(STOP_S):
                await self._output.stop()
        except TimeoutError:
            log.warning("%s: the producer did not stop within %.0f s and is left behind", self.tp, STOP_S)

"""Commits what the shards have settled: all that came together while the last commit was on its way, in one go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from runtime.clock import Clock
from sinks.shard import Shard, Step

log = logging.getLogger(__name__)

_EVERY_S = 0.02
"""What was delivered within this time, and the time that a commit takes, is delivered again after a kill."""
_TRANSACTIONS_EVERY_S = 0.05
"""A transaction costs the broker several times as much as a commit alone."""

_LOST = (CommitFailedError, IllegalGenerationError, IllegalStateError, RebalanceInProgressError, UnknownMemberIdError)
"""The partitions have moved on, or are about to: their next owner goes on from the last commit."""


class Commits:
    """`shards()`: those owned now. One commit is on its way at a time."""

    def __init__(self, consumer: AIOKafkaConsumer, shards: Callable[[], Iterable[Shard]], clock: Clock) -> None:
        self._consumer = consumer
        self._shards = shards
        self._clock = clock
        self._lock = asyncio.Lock()
        self._next_transaction: dict[Shard, float] = {}

    async def run(self) -> None:
        """Until cancelled. Raises KafkaError when a transaction fails: what it held is settled nowhere, so all starts again."""
        while True:
            await self._clock.sleep(_EVERY_S)
            now = self._clock.monotonic()
            ready = [shard for shard in self._shards() if now >= self._next_transaction.get(shard, 0.0)]
            await self.commit(ready)

    async def commit(self, shards: Iterable[Shard]) -> None:
        async with self._lock:
            steps = [(shard, step) for shard in shards if not shard.closed and (step := shard.step()) is not None]
            plain = [(shard, step) for shard, step in steps if step.is_plain]
            full = [(shard, step) for shard, step in steps if not step.is_plain]
            await asyncio.gather(self._plain(plain), *(self._full(shard, step) for shard, step in full))

    async def _plain(self, steps: list[tuple[Shard, Step]]) -> None:
        offsets = {
            TopicPartition(topic, shard.partition): commit for shard, step in steps for topic, commit in step.commons.items()
        }
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except _LOST as problem:
            log.info("offsets not committed, since the partitions move: %s", problem)
            return
        except KafkaError as problem:
            if not problem.retriable:
                raise
            log.warning("offsets not committed yet: %r", problem)
            return
        for shard, step in steps:
            shard.written(step)

    async def _full(self, shard: Shard, step: Step) -> None:
        await shard.write(step)
        self._next_transaction[shard] = self._clock.monotonic() + _TRANSACTIONS_EVERY_S

    def forget(self, shard: Shard) -> None:
        self._next_transaction.pop(shard, None)

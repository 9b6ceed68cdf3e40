"""Commits what the shards have settled: all that came together while a shard's last commit was on its way, in one go."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

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
STALLED_S = 3.0
"""What is delivered in this time, while Kafka is away, is delivered again after a kill. No commit takes so long on a broker that is well,
and it is well below a session: a worker that Kafka can't hear stops before its partitions go to another one."""

_LOST = (CommitFailedError, IllegalGenerationError, IllegalStateError, RebalanceInProgressError, UnknownMemberIdError)
"""The partitions have moved on, or are about to: their next owner goes on from the last commit."""


class Commits:
    """`shards()`: those owned now. Of one shard one commit is on its way at a time, since each goes on from the last; the shards do not
    wait for each other: a transaction that takes long holds up its own shard alone. `recorded` is cleared while Kafka takes nothing
    of any of them."""

    def __init__(
        self, consumer: AIOKafkaConsumer, shards: Callable[[], Iterable[Shard]], recorded: asyncio.Event, clock: Clock
    ) -> None:
        self._consumer = consumer
        self._shards = shards
        self._clock = clock
        self._recorded = recorded
        self._written_at = clock.monotonic()
        self._unwritten_since: dict[Shard, float] = {}
        self._under_way: dict[Shard, asyncio.Task[None]] = {}
        self._next_transaction: dict[Shard, float] = {}

    async def run(self) -> None:
        """Until cancelled. Raises KafkaError when a transaction fails: what it held is settled nowhere, so all starts again."""
        begun: set[asyncio.Task[None]] = set()
        try:
            while True:
                await self._clock.sleep(_EVERY_S)
                for task in {task for task in begun if task.done()}:
                    begun.remove(task)
                    task.result()
                begun.update(self._begin(self._ready()))
                self._tell()
        finally:
            for task in begun:
                task.cancel()
            await asyncio.gather(*begun, return_exceptions=True)

    async def commit(self, shards: Iterable[Shard]) -> None:
        """All that these have settled by now, after what is on its way for them. Raises KafkaError."""
        these = list(shards)
        while under_way := {self._under_way[shard] for shard in these if shard in self._under_way}:
            await asyncio.wait(under_way)
        await asyncio.gather(*self._begin(these))

    def forget(self, shard: Shard) -> None:
        self._next_transaction.pop(shard, None)
        self._unwritten_since.pop(shard, None)

    def _tell(self) -> None:
        since = max(min(self._unwritten_since.values(), default=math.inf), self._written_at)
        stalled = self._clock.monotonic() - since > STALLED_S
        if stalled and self._recorded.is_set():
            self._recorded.clear()
            log.warning("Kafka has taken no commit for %.1f s: deliveries wait, since a kill would repeat them", STALLED_S)
        elif not stalled and not self._recorded.is_set():
            self._recorded.set()
            log.info("Kafka takes commits again: deliveries go on")

    def _ready(self) -> list[Shard]:
        now = self._clock.monotonic()
        return [
            shard for shard in self._shards() if shard not in self._under_way and now >= self._next_transaction.get(shard, 0.0)
        ]

    def _begin(self, shards: Iterable[Shard]) -> list[asyncio.Task[None]]:
        """One commit for all that have offsets alone, and a transaction for each of the others. None of them has one on its way."""
        steps = [(shard, step) for shard in shards if not shard.closed and (step := shard.step()) is not None]
        for shard, _ in steps:
            self._unwritten_since.setdefault(shard, self._clock.monotonic())
        plain = [(shard, step) for shard, step in steps if step.is_plain]
        begun = [self._task([shard], self._full(shard, step)) for shard, step in steps if not step.is_plain]
        if plain:
            begun.append(self._task([shard for shard, _ in plain], self._plain(plain)))
        return begun

    def _task(self, shards: list[Shard], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._under_way.update(dict.fromkeys(shards, task))
        task.add_done_callback(lambda _: self._over(shards))
        return task

    def _over(self, shards: list[Shard]) -> None:
        for shard in shards:
            del self._under_way[shard]

    async def _plain(self, steps: list[tuple[Shard, Step]]) -> None:
        offsets = {
            TopicPartition(topic, shard.partition): commit for shard, step in steps for topic, commit in step.commons.items()
        }
        try:
            await self._consumer.commit(offsets)
        except _LOST as problem:
            log.info("offsets not committed, since the partitions move: %s", problem)
            self._answered(shard for shard, _ in steps)
            return
        except KafkaError as problem:
            if not problem.retriable:
                raise
            log.warning("offsets not committed yet: %r", problem)
            return
        for shard, step in steps:
            shard.written(step)
        self._answered(shard for shard, _ in steps)

    async def _full(self, shard: Shard, step: Step) -> None:
        await shard.write(step)
        self._next_transaction[shard] = self._clock.monotonic() + _TRANSACTIONS_EVERY_S
        self._answered([shard])

    def _answered(self, shards: Iterable[Shard]) -> None:
        self._written_at = self._clock.monotonic()
        for shard in shards:
            self._unwritten_since.pop(shard, None)

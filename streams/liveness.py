"""Liveness is progress: a worker that is assigned events and does not commit them ends itself, and is started again.

Seen after a broker restart: a Faust worker that is assigned its partitions, reports no error, and reads nothing more. An open port
would not show it. What shows it is a record behind the committed offset that stays there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from runtime.clock import Clock, SystemClock
from runtime.kafka import Cluster
from streams.unread import next_record

STALLED_AFTER_S = 60.0
"""Longer than any cycle takes: the batch budget and a transaction's own time-outs come to less than half of it."""
CONFIRMED_AFTER_S = 30.0
"""A record that has been seen waiting for so long is no newcomer: a quiet partition may get its next one just as it is looked at."""
CHECK_EVERY_S = 5.0
_ANSWER_S = 10.0

OPEN_WITHIN_S = 600.0
"""A partition's lane is at work this long after it was assigned: recovering ten million entries takes less."""


JOINED_WITHIN_S = 120.0
"""A rebalance takes the slowest member's stop and a session's time-out, which come to half of it."""


class Stalled(Exception):
    """A partition whose offset has not moved although there is something to read, or whose lane has never come to work; or a group that
    lets this worker wait."""


@dataclass
class Progress:
    """How long each partition's offset has stood still."""

    after_s: float = STALLED_AFTER_S
    _seen: dict[TopicPartition, tuple[int, float]] = field(default_factory=dict)

    def suspects(self, offsets: Mapping[TopicPartition, int], now: float) -> list[TopicPartition]:
        """The partitions whose offset has not moved for `after_s`; each is named again only after as long again."""
        self._seen = {tp: seen for tp, seen in self._seen.items() if tp in offsets}
        suspects = []
        for tp, offset in offsets.items():
            last, since = self._seen.get(tp, (None, now))
            if offset != last:
                self._seen[tp] = offset, now
            elif now - since >= self.after_s:
                self._seen[tp] = offset, now
                suspects.append(tp)
        return suspects


class Watchdog:
    """Asks the broker whether a partition that stands still has anything to read, and gives what it has its time."""

    def __init__(self, cluster: Cluster, progress: Progress | None = None, clock: Clock | None = None) -> None:
        self._cluster = cluster
        self._progress = progress or Progress()
        self._clock = clock or SystemClock()
        self._unopened: dict[TopicPartition, float] = {}
        self._behind: dict[TopicPartition, tuple[int, float]] = {}
        self._joining_since: float | None = None

    async def check(
        self, offsets: Mapping[TopicPartition, int], unopened: Collection[TopicPartition] = (), *, joining: bool = False
    ) -> None:
        """`offsets`: the next offset of each partition in work; `unopened`: those that are not in work yet; `joining`: whether a
        rebalance is under way. Raises Stalled, and KafkaError where progress can't be checked."""
        now = self._clock.monotonic()
        await self._check_join(now, joining=joining)
        self._unopened = {tp: self._unopened.get(tp, now) for tp in unopened}
        for tp, since in self._unopened.items():
            if now - since > OPEN_WITHIN_S:
                raise Stalled(f"{tp.topic}/{tp.partition} was assigned {now - since:.0f} s ago and is not at work")
        self._behind = {tp: seen for tp, seen in self._behind.items() if offsets.get(tp) == seen[0]}
        for tp, (offset, since) in self._behind.items():
            if now - since >= CONFIRMED_AFTER_S:
                raise Stalled(f"{tp.topic}/{tp.partition} stands at {offset} with more to read")
        suspects = [tp for tp in self._progress.suspects(offsets, now) if tp not in self._behind]
        if not suspects:
            return
        consumer = self._cluster.consumer(isolation="read_uncommitted", group_id=None)
        await consumer.start()
        try:
            for tp in suspects:
                if await next_record(consumer, tp, offsets[tp]) is not None:
                    self._behind[tp] = offsets[tp], self._clock.monotonic()
        finally:
            await consumer.stop()

    async def _check_join(self, now: float, *, joining: bool) -> None:
        """A join ends soon while the broker answers; while it does not, there is nothing to be joined."""
        if not joining:
            self._joining_since = None
            return
        if self._joining_since is None:
            self._joining_since = now
        if now - self._joining_since > JOINED_WITHIN_S and await self._broker_answers():
            raise Stalled(f"the group has not told this worker its partitions for {now - self._joining_since:.0f} s")

    async def _broker_answers(self) -> bool:
        consumer = self._cluster.consumer(group_id=None)
        try:
            async with asyncio.timeout(_ANSWER_S):
                await consumer.start()
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            await consumer.stop()
        return True

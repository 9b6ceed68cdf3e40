"""Which shards this worker owns: partitions come and go with the consumer group, and shards with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from runtime.clock import Clock
from runtime.kafka import Cluster
from runtime.topics import read_to_end
from sinks.answer import Kind
from sinks.lost_cursors import report
from sinks.resuming import resumed
from sinks.shard import Shard
from sinks.states import EndpointStates
from sinks.topics import event_topics, lagging_topic, retry_topics, transactional_id
from sinks.tracker import Position

log = logging.getLogger(__name__)


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """`joined`: the group has told it its partitions, which may be none. `leaving`: the worker stops, and takes no more of them. `begins`:
    subscriptions that began before they were first seen, and when, in Unix milliseconds. `opened(shard)` and `closing(shard)` are told of
    each; `failed(error)` when one can't be opened."""

    def __init__(
        self,
        cluster: Cluster,
        states: EndpointStates,
        kinds: Mapping[str, Kind],
        begins: Mapping[str, int],
        clock: Clock,
        *,
        opened: Callable[[Shard], None],
        closing: Callable[[Shard], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.shards: dict[int, Shard] = {}
        self.joined = False
        self.leaving = False
        self.consumer: AIOKafkaConsumer | None = None
        self._cluster = cluster
        self._states = states
        self._kinds = kinds
        self._clock = clock
        self._begins = begins
        self._opened = opened
        self._closing = closing
        self._failed = failed

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """All are given up at each rebalance; what is in flight may end first."""
        await self.close(sorted({partition.partition for partition in revoked}))

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        if self.leaving:
            return  # a rebalance that was under way when the worker began to stop: nobody would close these
        numbers = sorted({partition.partition for partition in assigned})
        try:
            await asyncio.gather(*(self._open(number) for number in numbers))
            self.joined = True
        except (KafkaError, OSError) as error:
            self._failed(error)

    async def close(self, numbers: Iterable[int] | None = None) -> None:
        shards = [self.shards[number] for number in (list(self.shards) if numbers is None else numbers) if number in self.shards]
        await asyncio.gather(*(self._close(shard) for shard in shards))

    async def close_at_once(self) -> None:
        """Without a hand-over: the worker has ended. Only after the consumer has stopped, which may still bring partitions."""
        await asyncio.gather(*(shard.aclose() for shard in self.shards.values()), return_exceptions=True)
        self.shards.clear()

    async def _close(self, shard: Shard) -> None:
        await self._closing(shard)
        self.shards.pop(shard.partition, None)
        await shard.aclose()

    async def _open(self, number: int) -> None:
        """Fences the last owner, and goes on where it was: its open transaction is settled before its offsets are read."""
        topics = self._cluster.topics
        producer = self._cluster.transactional_producer(transactional_id(topics, number))
        try:
            await producer.start()
            restored, inherited = await self._restored(number)
            shard = Shard(topics, number, producer, restored, inherited)
            name = lagging_topic(topics).name
            records = [record async for record in read_to_end(self._cluster, name, [number])]
            cursors = {record.key: record.value for record in records}
            standing = [(key, value) for key, value in cursors.items() if value is not None]
            for lost in shard.restore_lags(standing, self._states.standing):
                await report(self._cluster, shard, lost, records, self._kinds, self._clock.now())
            for subscription in self._states.kept():
                for topic in shard.commons:
                    shard.keep(subscription, topic)
            await self._begin(shard)
        except BaseException:
            await producer.stop()
            raise
        assert self.consumer is not None
        for topic in shard.commons:
            self.consumer.seek(TopicPartition(topic, number), restored[topic].offset)
        self.shards[number] = shard
        self._opened(shard)

    async def keep(self, subscription: str, since_ms: int) -> None:
        """Another worker has begun to serve a subscription that this one's config does not have: what is published here is kept for
        it."""
        new = [shard for shard in self.shards.values() if any((subscription, topic) not in shard.lags for topic in shard.commons)]
        for shard in new:
            for topic, offset in (await self._offsets_at(shard, since_ms)).items():
                if not shard.leaving:
                    shard.keep(subscription, topic, shard.commons[topic].position if offset is None else offset)

    async def _begin(self, shard: Shard) -> None:
        for name, since in self._begins.items():
            for topic, offset in (await self._offsets_at(shard, since)).items():
                shard.begin(name, topic, shard.restored[topic].offset if offset is None else offset)

    async def _offsets_at(self, shard: Shard, since_ms: int) -> dict[str, int | None]:
        """By topic, the first offset that was written since then; None where there is none."""
        assert self.consumer is not None
        partitions = {TopicPartition(topic, shard.partition): since_ms for topic in shard.commons}
        found = await self.consumer.offsets_for_times(partitions)
        return {partition.topic: None if at is None else at.offset for partition, at in found.items()}

    async def _restored(self, number: int) -> tuple[dict[str, Position], dict[str, int]]:
        """Where each topic goes on, and where it ends."""
        topics = self._cluster.topics
        names = [topic.name for topic in event_topics(topics)]
        names += [topic.name for topic in retry_topics(topics).values()]
        partitions = [TopicPartition(name, number) for name in names]
        positions, ends = await resumed(self._cluster, partitions)
        return (
            {partition.topic: position for partition, position in positions.items()},
            {partition.topic: end for partition, end in ends.items()},
        )

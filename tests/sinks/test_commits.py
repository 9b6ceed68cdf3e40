"""Commits of several shards: each by itself, and each shard's own one after the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import TopicPartition

from runtime.clients import Producer
from runtime.clock import SystemClock
from runtime.offsets import committed_offsets
from sinks.commits import Commits
from sinks.parcel import Parcel
from sinks.shard import Shard
from sinks.topics import group_id, retry_topics, transactional_id
from sinks.tracker import Position
from tests.eventually import until
from tests.sinks.worlds import World


class Held(asyncio.Event):
    """A transaction waits before its end until this is set, as it does for a broker that is slow to answer."""

    def hold(self, producer: Producer) -> None:
        send_offsets = producer.send_offsets_to_transaction

        async def late(*args: Any) -> None:
            await self.wait()
            await send_offsets(*args)

        producer.send_offsets_to_transaction = late


@contextlib.asynccontextmanager
async def two_shards(world: World, held: Held) -> AsyncIterator[list[Shard]]:
    """The first one's transactions are held."""
    topics = world.cluster.topics
    restored = {topics.changes("tmdb").name: Position(0, 0)}
    async with contextlib.AsyncExitStack() as stack:
        producers = [
            await stack.enter_async_context(world.cluster.transactional_producer(transactional_id(topics, number)))
            for number in range(2)
        ]
        held.hold(producers[0])
        yield [Shard(topics, number, producer, restored) for number, producer in enumerate(producers)]


@contextlib.asynccontextmanager
async def committing(world: World, shards: list[Shard]) -> AsyncIterator[Commits]:
    consumer = world.cluster.consumer(group_id=group_id(world.cluster.topics))
    await consumer.start()
    consumer.assign([TopicPartition(topic, shard.partition) for shard in shards for topic in shard.commons])
    commits = Commits(consumer, lambda: shards, asyncio.Event(), SystemClock())
    running = asyncio.create_task(commits.run())
    try:
        yield commits
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await consumer.stop()


async def test_a_transaction_that_takes_long_holds_up_its_own_shard_alone(world: World) -> None:
    changes = world.cluster.topics.changes("tmdb").name
    retry = retry_topics(world.cluster.topics)["1s"].name
    held = Held()

    def park(shard: Shard, offset: int) -> None:
        shard.commons[changes].passed(offset)
        shard.park(Parcel("hook", b"{}", 1, 2.0, changes, shard.partition, offset), 0.0)

    async def stands_at(partition: int, offset: int | None) -> bool:
        place = TopicPartition(changes, partition)
        found = (await committed_offsets(world.cluster, group_id(world.cluster.topics), [place]))[place]
        return (found.offset if found is not None else None) == offset

    async with two_shards(world, held) as (slow, well), committing(world, [slow, well]) as commits:
        park(slow, 0)
        await commits.commit([well])  # the slow one's goes out by itself
        park(well, 0)
        await until(lambda: stands_at(1, 1))
        well.commons[changes].passed(1)
        slow.commons[changes].passed(1)
        await until(lambda: stands_at(1, 2))
        # what the slow one settled meanwhile goes out by no other way than after its transaction
        assert await stands_at(0, None)
        assert [record.partition for record in await world.records(retry)] == [1]
        last = asyncio.create_task(commits.commit([slow]))
        held.set()
        await last
        assert await stands_at(0, 2)
        assert await stands_at(1, 2)
        assert sorted(record.partition for record in await world.records(retry)) == [0, 1]

"""What a shard writes to Kafka: all of a step, or none of it."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from runtime.offsets import committed_offsets
from sinks.parcel import Parcel
from sinks.shard import Shard
from sinks.topics import group_id, retry_topics, transactional_id
from sinks.tracker import Position
from tests.sinks.worlds import World, until_async


async def test_a_record_that_the_broker_refuses_takes_the_whole_step_with_it(world: World) -> None:
    topics = world.cluster.topics
    changes, retry = topics.changes("tmdb").name, retry_topics(topics)["1s"].name
    await _takes_no_more_than(world, topics.dead.name, 1000)
    async with world.cluster.transactional_producer(transactional_id(topics, 0)) as producer:
        shard = Shard(topics, 0, producer, {changes: Position(0, 0)})
        for offset in range(2):
            shard.commons[changes].passed(offset, ["hook"])
        shard.park(Parcel("hook", b"{}", 1, 2.0, changes, 0, 0), 0.0)
        shard.settle(changes, 0, "hook")
        shard.bury(None, bytes(50_000), reason="bad-event", error="too large for the topic", topic=changes, offset=1)
        shard.settle(changes, 1, "hook")
        step = shard.step()
        assert step is not None
        with pytest.raises(KafkaError):
            await shard.write(step)
        # its next owner does all of it again
        assert shard.closed
    assert await world.records(retry) == []
    partition = TopicPartition(changes, 0)
    assert (await committed_offsets(world.cluster, group_id(topics), [partition]))[partition] is None


async def _takes_no_more_than(world: World, topic: str, size: int) -> None:
    """The broker's setting holds a moment after it has been made."""
    async with world.cluster.admin() as admin, world.cluster.producer() as producer:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(size)})])

        async def refuses() -> bool:
            try:
                await producer.send_and_wait(topic, bytes(size), partition=1)
            except MessageSizeTooLargeError:
                return True
            return False

        await until_async(refuses)

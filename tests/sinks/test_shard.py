"""What a shard writes to Kafka: all of a step, or none of it."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from runtime.offsets import committed_offsets
from sinks import lag as lags
from sinks.lag import Lag
from sinks.parcel import Parcel
from sinks.shard import Shard
from sinks.standing import Standing
from sinks.topics import group_id, retry_topics, transactional_id
from sinks.tracker import Position, Tracker, decode, short
from tests.eventually import until
from tests.sinks.worlds import World


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


async def test_what_the_first_owner_settled_is_still_settled_for_the_third_when_the_second_has_read_nothing_of_it(
    world: World,
) -> None:
    topics = world.cluster.topics
    changes, retry = topics.changes("tmdb").name, retry_topics(topics)["1s"].name
    left = {
        changes: Position(3, 9, {3: frozenset({short("hook")}), 7: frozenset()}),
        retry: Position(2, 6, {2: frozenset(), 5: frozenset()}),
    }
    async with world.cluster.transactional_producer(transactional_id(topics, 0)) as producer:
        first = Shard(topics, 0, producer, left)
        lag = first.detach("slow", changes, 4)
        for offset in range(4, 9):
            lag.tracker.passed(offset, ["slow"] if lag.leaves_open(offset) else [])
        lag.tracker.passed(9, ["slow"])
        step = first.step()
        assert step is not None
        key, cursor = step.outs[0].key, step.outs[0].value
        assert cursor is not None
        second = Shard(topics, 0, producer, left)
        second.restore_lags([(key, cursor)], lambda _: Standing.SERVED)
        step = second.step()
    assert step is not None
    assert decode(*step.commons[changes]) == left[changes]
    assert decode(*step.retries[retry]) == left[retry]
    third = lags.restore(step.outs[0].value or b"", left)
    assert [offset for offset in range(4, 12) if third.leaves_open(offset)] == [7, 9, 10, 11]


async def test_one_that_lags_keeps_its_cursor_while_the_common_stream_reads_again_what_it_had_passed_without_it(
    world: World,
) -> None:
    topics = world.cluster.topics
    changes = topics.changes("tmdb").name
    left = {changes: Position(3, 9, {3: frozenset({short("other")})})}
    async with world.cluster.transactional_producer(transactional_id(topics, 0)) as producer:
        shard = Shard(topics, 0, producer, left)
        shard.restore_lags([(b"slow", Lag("slow", changes, Tracker(3)).to_json())], lambda _: Standing.SERVED)
        (lag,) = shard.lags.values()
        common = shard.commons[changes]
        assert lag.tracker.position == common.position
        # from here on the common stream takes 4 to 8 for delivered, and they never were
        assert not shard.has_caught_up(lag)
        for offset in range(3, 9):
            lag.tracker.passed(offset, ["slow"])
            common.passed(offset)
        assert shard.has_caught_up(lag)
        shard.attach(lag)
        assert not shard.serves("slow", changes, 8)
        assert shard.serves("slow", changes, 9)


async def test_one_that_is_disabled_while_the_last_of_its_cursor_ends_gets_that_when_it_is_enabled(world: World) -> None:
    topics = world.cluster.topics
    changes = topics.changes("tmdb").name
    async with world.cluster.transactional_producer(transactional_id(topics, 0)) as producer:
        shard = Shard(topics, 0, producer, {changes: Position(0, 0)})
        shard.commons[changes].passed(0, ["slow"])
        lag = shard.detach("slow", changes, 1)
        shard.attach(lag)
        shard.freeze("slow")
    assert lag.until is None
    assert lag.stale
    lag.rewind()
    assert lag.tracker.position == 0
    assert lag.leaves_open(0)


async def test_a_new_one_with_a_past_gets_also_what_the_common_stream_reads_again(world: World) -> None:
    topics = world.cluster.topics
    changes = topics.changes("tmdb").name
    async with world.cluster.transactional_producer(transactional_id(topics, 0)) as producer:
        shard = Shard(topics, 0, producer, {changes: Position(3, 9, {3: frozenset({short("other")})})})
        shard.begin("late", changes, 5)
        shard.begin("now", changes, 9)
    assert shard.lags["late", changes].leaves_open(5)
    assert [shard.serves("late", changes, offset) for offset in (5, 8)] == [False, False]
    assert shard.serves("now", changes, 9)


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

        await until(refuses)

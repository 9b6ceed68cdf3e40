from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from runtime.clock import ManualClock
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from streams.liveness import Progress, Stalled, Watchdog
from tests.streams.memory import observed

A, B = TopicPartition("raw", 0), TopicPartition("raw", 1)


def test_a_partition_whose_offset_stands_still_is_suspected_after_a_minute():
    progress = Progress(after_s=60)
    assert progress.suspects({A: 5, B: 5}, now=0) == []
    assert progress.suspects({A: 5, B: 6}, now=59) == []
    assert progress.suspects({A: 5, B: 6}, now=60) == [A]


def test_a_suspect_is_not_named_again_before_another_minute():
    progress = Progress(after_s=60)
    progress.suspects({A: 5}, now=0)
    assert progress.suspects({A: 5}, now=60) == [A]
    assert progress.suspects({A: 5}, now=65) == []
    assert progress.suspects({A: 5}, now=120) == [A]


def test_a_partition_that_went_and_came_back_begins_anew():
    progress = Progress(after_s=60)
    progress.suspects({A: 5}, now=0)
    progress.suspects({}, now=30)
    assert progress.suspects({A: 5}, now=70) == []


@pytest.fixture
async def raw(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix, partitions=1)
    await ensure_topics(cluster, cluster.topics.of_provider("tmdb"))
    producer = cluster.transactional_producer(f"{topic_prefix}-writer")
    topic = cluster.topics.raw("tmdb").name
    async with producer:
        for edit in range(3):
            async with producer.transaction():
                await producer.send_and_wait(topic, observed("1", edit).to_json())
    return cluster, TopicPartition(topic, 0)


async def watched(cluster, *positions):
    """Looks at the first position for a minute, then at each further one half a minute later."""
    clock = ManualClock()
    watchdog = Watchdog(cluster, clock=clock)
    await watchdog.check(positions[0])
    clock.advance(61)
    await watchdog.check(positions[0])
    for offsets in positions[1:]:
        clock.advance(31)
        await watchdog.check(offsets)


async def test_a_worker_that_stands_before_an_unread_event_is_stalled(raw):
    cluster, tp = raw
    with pytest.raises(Stalled, match="stands at 2 with more to read"):
        await watched(cluster, {tp: 2}, {tp: 2})


async def test_an_event_that_comes_to_a_quiet_partition_as_it_is_looked_at_is_no_standstill(raw):
    cluster, tp = raw
    await watched(cluster, {tp: 4}, {tp: 5}, {tp: 5})


async def test_a_transaction_marker_at_the_end_is_nothing_to_read(raw):
    """Three transactions of one event: offsets 0, 2, 4 hold events, 1, 3, 5 markers."""
    cluster, tp = raw
    await watched(cluster, {tp: 5}, {tp: 5})


async def test_a_worker_at_the_very_end_is_alive(raw):
    cluster, tp = raw
    await watched(cluster, {tp: 6}, {tp: 6})


async def test_a_partition_that_never_comes_to_work_ends_the_worker():
    clock = ManualClock()
    watchdog = Watchdog(Cluster.at("127.0.0.1:9"), clock=clock)
    await watchdog.check({}, [A, B])
    clock.advance(600)
    await watchdog.check({A: 0}, [B])
    clock.advance(1)
    with pytest.raises(Stalled, match=r"raw/1 was assigned 601 s ago and is not at work"):
        await watchdog.check({A: 0}, [B])


async def test_a_partition_that_came_to_work_has_its_time_anew_when_it_is_assigned_again():
    clock = ManualClock()
    watchdog = Watchdog(Cluster.at("127.0.0.1:9"), clock=clock)
    await watchdog.check({}, [A])
    clock.advance(500)
    await watchdog.check({A: 0})
    clock.advance(500)
    await watchdog.check({}, [A])


async def test_a_join_that_takes_two_minutes_while_the_broker_answers_is_a_standstill(raw):
    cluster, _ = raw
    clock = ManualClock()
    watchdog = Watchdog(cluster, clock=clock)
    await watchdog.check({}, joining=True)
    clock.advance(119)
    await watchdog.check({}, joining=True)
    clock.advance(2)
    with pytest.raises(Stalled, match="has not told this worker its partitions"):
        await watchdog.check({}, joining=True)


async def test_a_join_that_ends_without_a_partition_is_healthy(raw):
    cluster, _ = raw
    clock = ManualClock()
    watchdog = Watchdog(cluster, clock=clock)
    for joining in (True, False, True):
        await watchdog.check({}, joining=joining)
        clock.advance(100)
    await watchdog.check({}, joining=True)


async def test_a_join_is_waited_for_while_no_broker_answers():
    clock = ManualClock()
    watchdog = Watchdog(Cluster.at("127.0.0.1:1"), clock=clock)
    for _ in range(2):
        await watchdog.check({}, joining=True)
        clock.advance(600)
    await watchdog.check({}, joining=True)

from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from runtime.clock import ManualClock
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from streams.deadlimit import DeadCount, DeadLimit, TooManyDead
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


def counted(limit: DeadLimit, outcomes: str) -> DeadCount:
    count = DeadCount(limit)
    for outcome in outcomes:
        count.count_dead() if outcome == "x" else count.count_good()
    return count


def test_single_dead_events_do_not_stop_a_stream():
    counted(DeadLimit(ratio=0.01, events=100, consecutive=10), "x" + "." * 99).check()


def test_more_than_the_ratio_of_enough_events_stops_it():
    with pytest.raises(TooManyDead, match="2 of the last 100 events"):
        counted(DeadLimit(ratio=0.01, events=100, consecutive=10), "x" * 2 + "." * 98).check()


def test_a_stream_that_went_well_for_long_is_stopped_as_soon_as_any_other():
    with pytest.raises(TooManyDead, match="of the last"):
        counted(DeadLimit(ratio=0.01, events=100, consecutive=10), "." * 1_000_000 + "x......" * 20).check()


def test_a_row_of_dead_events_is_not_forgotten_for_a_good_one_behind_it():
    with pytest.raises(TooManyDead, match="10 events in a row"):
        counted(DeadLimit(ratio=1, events=100, consecutive=10), "x" * 10 + ".").check()


def test_too_few_events_tell_nothing_unless_all_in_a_row_are_dead():
    limit = DeadLimit(ratio=0.01, events=100, consecutive=10)
    counted(limit, "x" * 9 + "." + "x" * 9).check()
    with pytest.raises(TooManyDead, match="10 events in a row"):
        counted(limit, "x" * 10).check()

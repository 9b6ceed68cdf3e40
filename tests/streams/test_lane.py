"""A lane's flow, and its transaction on a real Kafka."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from streams.lane import GATHER_S, MAX_BATCH, MAX_WAITING, Lane, Outcome
from streams.output import Record, TransactionalOutput
from tests.eventually import until


class Output:
    next_offset = 0

    async def start(self): ...

    async def stop(self): ...

    async def begin_at(self, offset): ...

    def fresh(self, events):
        return list(events)

    async def commit(self, records, next_offset):
        return {}


class Work:
    """Takes events in while it is not full; `taken` counts them, `batches` one by one."""

    def __init__(self) -> None:
        self.full, self.taken = False, 0
        self.batches: list[int] = []
        self.newer_offsets: set[int] = set()

    def newer(self, event):
        return "a newer schema" if event.message.offset in self.newer_offsets else None

    async def start(self, wake): ...

    async def stop(self): ...

    async def cycle(self, events):
        self.taken += len(events)
        self.batches.append(len(events))
        return Outcome()


class Flow:
    def __init__(self) -> None:
        self.said: list[str] = []

    def hold_back(self):
        self.said.append("hold back")

    def let_come(self):
        self.said.append("let come")


class Stream:
    async def ack(self, event): ...


def event(offset: int, timestamp: float = 0.0):
    return SimpleNamespace(message=SimpleNamespace(offset=offset, timestamp=timestamp))


@pytest.fixture
async def running():
    work, flow = Work(), Flow()
    lane = Lane(0, Output(), (), work, flow)
    task = asyncio.create_task(lane.run())
    yield lane, work, flow
    task.cancel()
    await asyncio.wait([task])


async def test_a_lane_that_is_far_behind_has_its_partition_held_back_until_it_has_caught_up(running):
    lane, work, flow = running
    work.full = True
    for offset in range(MAX_WAITING):
        lane.add(event(offset), Stream())
    assert flow.said == ["hold back"]
    work.full = False
    lane.add(event(MAX_WAITING), Stream())
    await until(lambda: work.taken == MAX_WAITING + 1)
    assert flow.said == ["hold back", "let come"]


async def test_a_lane_goes_on_by_itself_when_its_work_is_no_longer_full(running):
    lane, work, _ = running
    work.full = True
    lane.add(event(0), Stream())
    await until(lambda: not lane._wake.is_set())
    work.full = False
    lane._wake.set()  # an answer has come
    for offset in range(1, 2 * MAX_BATCH):
        lane.add(event(offset), Stream())
    await until(lambda: work.taken == 2 * MAX_BATCH)


async def test_a_lane_waits_at_an_event_of_a_newer_version(running, caplog):
    lane, work, _ = running
    work.newer_offsets = {2}
    for offset in range(5):
        lane.add(event(offset), Stream())
    await until(lambda: work.taken == 2)
    assert (lane.position, lane.busy) == (None, True)
    lane.add(event(5), Stream())
    await until(lambda: not lane._wake.is_set())
    assert work.taken == 2
    assert caplog.text.count("waits at offset 2, which only a newer version of changecast can read") == 1


async def test_an_event_of_a_newer_version_that_is_committed_already_is_not_waited_for(running):
    lane, work, _ = running
    lane._output.next_offset = 3
    work.newer_offsets = {2}
    for offset in range(2, 5):
        lane.add(event(offset), Stream())
    await until(lambda: work.taken == 3)


async def in_steps(lane, timestamp: float, monkeypatch) -> None:
    """Hand over five events, one in each step of the gathering."""
    sleep, offsets = asyncio.sleep, iter(range(1, 5))

    async def sleep_as_one_more_comes(seconds):
        if seconds == GATHER_S and (offset := next(offsets, None)) is not None:
            lane.add(event(offset, timestamp), Stream())
        await sleep(seconds)

    monkeypatch.setattr("streams.lane.asyncio.sleep", sleep_as_one_more_comes)
    lane.add(event(0, timestamp), Stream())


async def test_a_lane_that_is_behind_gathers_as_long_as_more_comes(running, monkeypatch):
    lane, work, _ = running
    await in_steps(lane, time.time() - 60, monkeypatch)
    await until(lambda: work.taken == 5)
    assert work.batches == [5]


async def test_a_lane_that_is_not_behind_gathers_for_a_moment_only(running, monkeypatch):
    lane, work, _ = running
    await in_steps(lane, time.time() + 3_600, monkeypatch)
    await until(lambda: work.taken >= 2)
    assert work.batches[0] == 2


async def test_a_record_that_the_broker_refuses_takes_the_whole_transaction_with_it(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix, partitions=1)
    small = cluster.topics.changes("tmdb")
    large = replace(cluster.topics.changes("pbs"), configs={"max.message.bytes": "1000"})
    await ensure_topics(cluster, [small, large, cluster.topics.raw("tmdb")])
    tp = TopicPartition(cluster.topics.raw("tmdb").name, 0)
    output = TransactionalOutput(cluster, f"{topic_prefix}-streams", tp)
    await output.start()
    try:
        with pytest.raises((MessageSizeTooLargeError, KafkaError)):
            await output.commit([Record(small.name, b"k", b"v"), Record(large.name, b"k", bytes(50_000))], 7)
        assert output.next_offset == 0
    finally:
        await output.stop()
    assert [record async for record in read_to_end(cluster, small.name)] == []
    again = TransactionalOutput(cluster, f"{topic_prefix}-streams", tp)
    await again.start()
    assert again.next_offset == 0
    await again.stop()


async def test_the_embedded_broker_takes_the_transaction_of_a_clock_that_is_ahead(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix, partitions=1)
    changes = cluster.topics.changes("tmdb")
    await ensure_topics(cluster, [changes])
    ahead = int((time.time() + 10 * 86_400) * 1000)
    async with cluster.transactional_producer(f"{topic_prefix}-ahead") as producer, producer.transaction():
        # aiokafka takes the time in C: it can't be shifted for a process
        await producer.send_and_wait(changes.name, b"v", timestamp_ms=ahead)
    (record,) = [record async for record in read_to_end(cluster, changes.name)]
    assert record.timestamp == ahead

"""The Faust app with its lanes, in this process and on a real Kafka: what Faust may not do, and what lanes do to each other."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiokafka import TopicPartition
from faust.types import TP

from runtime.kafka import Cluster
from runtime.offsets import committed_offsets
from runtime.topics import ensure_topics, read_to_end
from streams import app as app_module
from streams import lane as lane_module
from streams.app import StreamsApp
from streams.deadlimit import DeadCount, DeadLimit
from streams.place import Place
from streams.reading import EntityReader, Patience
from tests.eventually import until
from tests.streams.memory import PROVIDER, MemoryProvider, observed

PARTITIONS = 2
WITHIN_S = 60.0


class World:
    def __init__(self, servers: str, prefix: str, folder) -> None:
        self.cluster = Cluster.at(servers, prefix, partitions=PARTITIONS)
        self.folder = folder
        self.provider = MemoryProvider()
        self.raw = self.cluster.topics.raw(PROVIDER).name

    async def prepare(self) -> None:
        await ensure_topics(self.cluster, [*self.cluster.topics.common(), *self.cluster.topics.of_provider(PROVIDER)])

    @asynccontextmanager
    async def running(self, name: str = "w", budget_s: float = 2.0, dead: DeadCount | None = None):
        app = StreamsApp(self.cluster, self.folder / name, [PROVIDER])
        reader = EntityReader(self.provider, Patience(settle=timedelta(0)))
        app.places[PROVIDER] = Place(
            self.provider,
            reader,
            self.cluster,
            app.seen[PROVIDER],
            app.snapshots[PROVIDER],
            timedelta(days=30),
            timedelta(seconds=budget_s),
            dead or DeadCount(),
        )
        await app.start()
        try:
            yield app
        finally:
            await app.stop()

    async def write(self, values, partition: int) -> None:
        async with self.cluster.producer(max_batch_size=1 << 20) as producer:
            sent = [await producer.send(self.raw, value, key=b"k", partition=partition) for value in values]
            await asyncio.gather(*sent)

    async def published(self, partition: int) -> list[str]:
        topic = self.cluster.topics.changes(PROVIDER).name
        return [dict(record.headers)["ce_id"].decode() async for record in read_to_end(self.cluster, topic, [partition])]

    async def committed(self, partition: int) -> int:
        tp = TopicPartition(self.raw, partition)
        offset = (await committed_offsets(self.cluster, f"{self.cluster.topics.prefix}-streams", [tp]))[tp]
        return offset.offset if offset is not None else 0


@pytest.fixture
async def world(bootstrap_servers, topic_prefix, tmp_path):
    world = World(bootstrap_servers, topic_prefix, tmp_path)
    await world.prepare()
    return world


def edits(entity: str, count: int) -> list[bytes]:
    return [observed(entity, edit).to_json() for edit in range(count)]


async def test_what_faust_commits_by_itself_moves_no_offset(world):
    await world.write(edits("1", 5), 0)
    async with world.running() as app:

        async def all_committed():
            return await world.committed(0) == 5

        await until(all_committed, what="five events committed")
        await app.faust.consumer._commit({TP(world.raw, 0): 2})
        assert await world.committed(0) == 5


async def test_a_partition_that_is_far_behind_is_held_back_and_loses_nothing(world, monkeypatch):
    monkeypatch.setattr(lane_module, "MAX_WAITING", 40)
    monkeypatch.setattr(lane_module, "MAX_BATCH", 20)
    held_back: list[str] = []
    hold_back, let_come = app_module._Fetching.hold_back, app_module._Fetching.let_come
    monkeypatch.setattr(app_module._Fetching, "hold_back", lambda flow: (held_back.append("hold"), hold_back(flow)))
    monkeypatch.setattr(app_module._Fetching, "let_come", lambda flow: (held_back.append("let come"), let_come(flow)))
    # in several writes, so that they are fetched one after another
    for first in range(0, 1_200, 300):
        await world.write([observed("1", edit).to_json() for edit in range(first, first + 300)], 0)
    async with world.running() as app:

        async def all_published():
            assert not app.failed.done()
            return await world.committed(0) == 1_200

        await until(all_published, what="1,200 events published")
        assert {"hold", "let come"} <= set(held_back)
        await world.write([observed("1", 1_200).to_json()], 0)

        async def the_next_published():
            return await world.committed(0) == 1_201

        await until(the_next_published, what="the partition is fetched on")
    assert await world.published(0) == [observed("1", edit).id for edit in range(1_201)]


async def test_a_lane_that_waits_for_an_answer_holds_up_no_other_lane(world, tmp_path):
    world.provider.stuck = tmp_path / "stuck"
    world.provider.stuck.write_text("slow")
    await world.write(edits("slow", 1), 0)
    async with world.running(budget_s=3_600):

        async def asked():
            return "slow" in world.provider.asked

        await until(asked, what="the slow entity is asked for")
        await world.write(edits("fast", 20), 1)

        async def the_others_published():
            return len(await world.published(1)) == 20

        await until(the_others_published, what="the other partition's events")
        assert await world.published(0) == []
        world.provider.stuck.unlink()


async def test_a_partition_that_goes_to_another_worker_leaves_no_lane_and_no_open_store_behind(world):
    await world.write(edits("1", 3), 0)
    await world.write(edits("2", 3), 1)
    async with world.running("first") as first:
        await until(lambda: len(first.positions()) == PARTITIONS, what="both partitions at the first worker")
        async with world.running("second") as second:
            await until(lambda: len(first.positions()) == 1 and len(second.positions()) == 1, what="one partition each")
            (kept,) = (tp.partition for tp in first.positions())
            assert list(first.seen[PROVIDER]._stores) == list(first.snapshots[PROVIDER]._stores) == [kept]
            assert [tp.partition for tp in first._lanes] == [kept]
            await world.write([observed("3", edit).to_json() for edit in range(3)], 0)
            await world.write([observed("4", edit).to_json() for edit in range(3)], 1)

            async def all_published():
                assert not first.failed.done() and not second.failed.done()
                return [len(await world.published(partition)) for partition in range(PARTITIONS)] == [6, 6]

            await until(all_published, what="what came since")


async def test_a_lane_that_fails_is_told_so_that_the_worker_ends(world):
    async with world.running() as app:
        await until(lambda: len(app.positions()) == PARTITIONS, what="both lanes at work")
        app.seen[PROVIDER].close(0)  # as if its disk were gone
        await world.write(edits("1", 1), 0)
        async with asyncio.timeout(WITHIN_S):
            assert isinstance(await app.failed, KeyError)
    assert await world.published(0) == []


async def test_a_stream_of_which_too_much_is_dead_stops_and_keeps_the_rest_while_the_worker_goes_on(world, caplog):
    async with world.running(dead=DeadCount(DeadLimit(consecutive=1))) as app:  # however the events fall into batches
        await until(lambda: len(app.positions()) == PARTITIONS, what="both lanes at work")
        await world.write([b"rubbish"] * 2 + edits("1", 1), 0)
        # the log line is the last of what a stop does: the partition is gone from the positions before
        await until(lambda: "has stopped, and what it has not taken waits in its topic" in caplog.text)
        assert TopicPartition(world.raw, 0) not in app.positions()
        assert not app.failed.done()
    assert (await world.published(0), await world.committed(0)) == ([], 0)


async def test_a_lane_that_is_cancelled_by_nobody_who_stops_it_ends_the_worker(world):
    async with world.running() as app:
        await until(lambda: len(app.positions()) == PARTITIONS, what="both lanes at work")
        _, task = app._lanes[TP(world.raw, 0)]
        task.cancel()
        async with asyncio.timeout(WITHIN_S):
            assert isinstance(await app.failed, app_module.LaneEnded)


async def test_a_lane_closes_although_a_client_swallows_its_cancellation():
    """aiokafka does so where a cancellation comes as it closes."""
    swallowed, stopped = 0, []

    class Lane:
        async def stop(self):
            stopped.append(self)

    async def stubborn():
        nonlocal swallowed
        while swallowed < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await app_module._closed(Lane(), task)
    assert task.cancelled() and swallowed == 2 and len(stopped) == 1


async def test_a_worker_that_is_stopped_as_its_state_is_recovered_stops_in_order(world, monkeypatch):
    recovering = asyncio.Event()
    recover = app_module.StateTable.recover

    async def endless(table, partition):
        await recover(table, partition)
        recovering.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(app_module.StateTable, "recover", endless)
    await world.write(edits("1", 3), 0)
    async with asyncio.timeout(WITHIN_S):
        async with world.running() as app:
            await recovering.wait()
            await app.stop()
            assert not app.failed.done()
        assert app.seen[PROVIDER]._stores == {}
        monkeypatch.setattr(app_module.StateTable, "recover", recover)
        async with world.running():
            while len(await world.published(0)) < 3:
                await asyncio.sleep(0.05)

"""What a lane's transaction holds, and what a new owner of the partition takes over, on a real Kafka.

An earlier owner that is not dead but slow tries to commit in the worst moments: what it can still write, the new one must know.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import KafkaError

from runtime.kafka import Cluster
from runtime.offsets import committed_offsets
from runtime.topics import ensure_topics, read_to_end
from streams import output as output_module
from streams.lane import Lane, Outcome
from streams.output import PassedOver, Record, TransactionalOutput
from streams.tables import StateTable, Write
from tests.streams.memory import observed

PARTITION = 0


class Flow:
    def hold_back(self): ...

    def let_come(self): ...


class Stream:
    async def ack(self, event): ...


class Work:
    """Publishes each event's key and keeps it in a table; `then` are records beside these."""

    full = False

    def __init__(self, changes: str, table: StateTable, then: tuple[Record, ...] = ()) -> None:
        self.changes, self.table, self.then = changes, table, then
        self.taken: list[int] = []

    async def start(self, wake): ...

    async def stop(self): ...

    async def cycle(self, events):
        self.taken += [event.message.offset for event in events]
        records = [Record(self.changes, event.key, b"change") for event in events]
        return Outcome([*records, *self.then], [(self.table, [Write(event.key, b"state") for event in events])])


def event(offset: int):
    return SimpleNamespace(key=b"tmdb:%d" % offset, message=SimpleNamespace(offset=offset))


class World:
    """One raw partition with its topics; owners come one after another, each with a disk of its own."""

    def __init__(self, servers: str, prefix: str, folder) -> None:
        self.cluster = Cluster.at(servers, prefix, partitions=1)
        self.folder = folder
        self.group = f"{prefix}-streams"
        self.tp = TopicPartition(self.cluster.topics.raw("tmdb").name, PARTITION)
        self.changes = self.cluster.topics.changes("tmdb").name

    def table(self, owner: str) -> StateTable:
        return StateTable(self.cluster, "tmdb", "seen", self.folder / owner)

    def output(self) -> TransactionalOutput:
        return TransactionalOutput(self.cluster, self.group, self.tp)

    def lane(self, owner: str, then: tuple[Record, ...] = ()) -> Lane:
        table = self.table(owner)
        return Lane(PARTITION, self.output(), (table,), Work(self.changes, table, then), Flow())

    @asynccontextmanager
    async def owner(self, name: str, then: tuple[Record, ...] = ()):
        """A lane that has been started, and takes its batches from the test."""
        lane = self.lane(name, then)
        try:
            await lane._output.start()
            await lane._recover()
            yield lane
        finally:
            await lane.stop()

    async def write_raw(self, count: int) -> None:
        async with self.cluster.producer() as producer:
            for edit in range(count):
                await producer.send_and_wait(self.tp.topic, observed("1", edit).to_json(), partition=PARTITION)

    async def published(self) -> list[bytes]:
        return [record.key async for record in read_to_end(self.cluster, self.changes)]

    async def changelog(self) -> list[bytes]:
        return [record.key async for record in read_to_end(self.cluster, self.table("none").changelog.name)]

    async def committed(self) -> int:
        offset = (await committed_offsets(self.cluster, self.group, [self.tp]))[self.tp]
        return offset.offset if offset is not None else 0


@pytest.fixture
async def world(bootstrap_servers, topic_prefix, tmp_path):
    world = World(bootstrap_servers, topic_prefix, tmp_path)
    topics = world.cluster.topics
    await ensure_topics(world.cluster, [*topics.of_provider("tmdb"), topics.state("tmdb", "seen"), *topics.common()])
    await world.write_raw(5)
    return world


def batch(*offsets: int):
    return [(event(offset), Stream()) for offset in offsets]


async def test_outputs_state_and_offset_are_there_together(world):
    async with world.owner("a") as lane:
        await lane._cycle(batch(0, 1))
        assert lane._tables[0].look_up(PARTITION, b"tmdb:1") == b"state"
    assert await world.published() == await world.changelog() == [b"tmdb:0", b"tmdb:1"]
    assert await world.committed() == 2


async def test_an_offset_that_is_refused_takes_outputs_and_state_with_it(world):
    async with world.owner("a") as lane:
        lane._output._group = ""  # no group has that name
        with pytest.raises(ValueError):
            await lane._cycle(batch(0, 1))
        assert lane._tables[0].look_up(PARTITION, b"tmdb:0") is None, "the store is not ahead of what is committed"
    assert (await world.published(), await world.changelog(), await world.committed()) == ([], [], 0)


async def test_state_that_is_refused_takes_outputs_and_offset_with_it(world):
    no_topic_takes_so_much = Record(world.table("none").changelog.name, b"k", bytes(5_000_000))
    async with world.owner("a", (no_topic_takes_so_much,)) as lane:
        with pytest.raises(KafkaError):
            await lane._cycle(batch(0, 1))
        assert lane._tables[0].look_up(PARTITION, b"tmdb:0") is None
    assert (await world.published(), await world.changelog(), await world.committed()) == ([], [], 0)


async def test_an_owner_that_was_only_slow_writes_nothing_more(world):
    async with world.owner("slow") as slow:
        await slow._cycle(batch(0))
        async with world.owner("new") as new:
            with pytest.raises(KafkaError):
                await slow._cycle(batch(1))
            await new._cycle(batch(1))
    assert await world.published() == await world.changelog() == [b"tmdb:0", b"tmdb:1"]


async def test_the_offset_is_read_when_no_earlier_owner_can_move_it_any_more(world, monkeypatch):
    async with world.owner("slow") as slow:
        read = committed_offsets

        async def read_as_the_slow_owner_commits(*args):
            answer = await read(*args)
            with pytest.raises(KafkaError):
                await slow._cycle(batch(0, 1))
            return answer

        monkeypatch.setattr(output_module, "committed_offsets", read_as_the_slow_owner_commits)
        new = world.output()
        await new.start()
        await new.stop()
    assert new.next_offset == await world.committed() == 0


async def test_state_is_recovered_when_no_earlier_owner_can_add_to_it_any_more(world, monkeypatch):
    async with world.owner("slow") as slow:
        recover = StateTable.recover

        async def recover_as_the_slow_owner_commits(table, partition):
            read = await recover(table, partition)
            with pytest.raises(KafkaError):
                await slow._cycle(batch(0))
            return read

        monkeypatch.setattr(StateTable, "recover", recover_as_the_slow_owner_commits)
        lane = world.lane("new")
        started = False

        async def work_starts(_wake):
            nonlocal started
            started = True
            raise InterruptedError

        lane.work.start = work_starts
        with pytest.raises(InterruptedError):
            await lane.run()
        await lane.stop()
    assert started
    assert await world.changelog() == []


async def test_what_an_earlier_owner_left_open_is_settled_before_the_new_one_reads(world):
    async with world.owner("dead") as dead:
        producer = dead._output._producer
        await producer.begin_transaction()
        await producer.send_and_wait(dead._tables[0].changelog.name, b"state", key=b"tmdb:0", partition=PARTITION)
        async with world.owner("new") as new:
            assert new._output.next_offset == 0
            assert new._tables[0].look_up(PARTITION, b"tmdb:0") is None
            await new._cycle(batch(0))
    assert await world.changelog() == [b"tmdb:0"]


async def test_what_the_committed_offset_covers_is_passed_over_also_when_it_comes_twice_in_a_batch(world):
    async with world.owner("a") as lane:
        await lane._cycle(batch(0, 1))
        await lane._cycle(batch(0, 1, 1, 2, 2, 1, 3))
        assert lane.work.taken == [0, 1, 2, 3]
    async with world.owner("b") as lane:
        await lane._cycle(batch(2, 3, 4))
        assert lane.work.taken == [4]
    assert await world.committed() == 5


async def test_a_first_event_that_is_not_the_next_one_ends_the_worker_instead_of_losing_those_between(world):
    async with world.owner("a") as lane:
        await lane._cycle(batch(0))
    async with world.owner("b") as lane:
        with pytest.raises(PassedOver, match="goes on at 3, and 1 was not handed over"):
            await lane._cycle(batch(3, 1, 2))
    assert await world.committed() == 1


async def test_a_transaction_marker_before_the_first_event_is_nothing_that_was_passed_over(world):
    async with world.cluster.transactional_producer("writer") as producer:
        for edit in range(2):
            async with producer.transaction():
                await producer.send_and_wait(world.tp.topic, observed("1", edit).to_json(), partition=PARTITION)
    async with world.owner("a") as lane:
        await lane._cycle(batch(0, 1, 2, 3, 4, 5))
    async with world.owner("b") as lane:
        await lane._cycle(batch(7))  # 6 is the marker of the first transaction
    assert await world.committed() == 8


async def test_changes_that_kafka_deleted_before_they_were_read_are_told(world, caplog):
    async with world.owner("a") as lane:
        await lane._cycle(batch(0))
    async with world.cluster.admin() as admin:
        await admin.delete_records({world.tp: RecordsToDelete(before_offset=3)})
    async with world.owner("b") as lane:
        await lane._cycle(batch(3, 4))
    assert await world.committed() == 5
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "CRITICAL"]
    assert f"{world.tp.topic}/0: what stood at offsets 1 to 2, up to 2 changes, was deleted" in told
    assert "changecast provider backfill tmdb --since" in told

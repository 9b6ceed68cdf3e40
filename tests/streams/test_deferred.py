"""Deferred events on a real Kafka: taken up by the partition's next owner, published once and in order."""

from __future__ import annotations

import pytest

from runtime.topics import read_to_end
from streams.app import StreamsApp
from tests.eventually import until
from tests.streams.memory import PROVIDER, observed
from tests.streams.test_app import PARTITIONS, World


@pytest.fixture
async def world(bootstrap_servers, topic_prefix, tmp_path):
    world = World(bootstrap_servers, topic_prefix, tmp_path)
    await world.prepare()
    world.provider.stuck = tmp_path / "stuck"
    world.provider.stuck.write_text("7")
    return world


async def standing(world, partition: int) -> list[bytes]:
    """The ids that the deferred topic still holds."""
    held: dict[bytes, bytes] = {}
    async for record in read_to_end(world.cluster, world.cluster.topics.deferred(PROVIDER).name, [partition]):
        held.pop(record.key, None)
        if record.value is not None:
            held[record.key] = record.value
    return list(held)


def ids(*edits: int) -> list[str]:
    return [observed("7", edit).id for edit in edits]


async def deferred(world, *edits: int, budget_s: float = 0.1) -> None:
    """A worker that stops as these wait."""
    await world.write([observed("7", edit).to_json() for edit in edits], 0)
    async with world.running("before", budget_s):

        async def all_deferred():
            return len(await standing(world, 0)) == len(edits)

        await until(all_deferred, what="events deferred")


async def test_the_next_owner_publishes_what_was_deferred_before_what_came_later(world):
    await deferred(world, 3, 1, 2)  # as the feed reported them
    world.provider.stuck.unlink()
    await world.write([observed("7", 4).to_json(), observed("7", 1).to_json()], 0)
    async with world.running("after"):

        async def all_published():
            return len(await world.published(0)) == 4

        await until(all_published, what="all four published")
        assert await world.published(0) == ids(3, 1, 2, 4)
        assert await standing(world, 0) == []


async def test_a_deferred_event_that_can_not_be_read_is_dead_and_leaves_the_topic(world):
    topics = world.cluster.topics
    async with world.cluster.producer() as producer:
        await producer.send_and_wait(topics.deferred(PROVIDER).name, b"rubbish", key=b"tmdb:movie:9:1", partition=0)
    async with world.running():

        async def gone():
            return await standing(world, 0) == []

        await until(gone, what="it has left the deferred topic")
        # it is told in one cycle, and not in those that follow
        world.provider.stuck.unlink(missing_ok=True)
        await world.write([observed("7", 1).to_json()], 0)

        async def next_one():
            return await world.published(0) == ids(1)

        await until(next_one, what="a later event published")
    (buried,) = [record async for record in read_to_end(world.cluster, topics.dead.name)]
    assert (buried.key, buried.value) == (b"tmdb:movie:9:1", b"rubbish")


def newer(value: bytes) -> bytes:
    return value.replace(b"schema:observed:1", b"schema:observed:2").replace(b'"changes"', b'"steps"')


async def test_events_of_a_newer_version_hold_their_partition_and_are_never_dead(world, caplog):
    """Deferred in partition 0, raw in partition 1."""
    topics = world.cluster.topics
    waits = b'{"offset":0,"event":%b}' % newer(observed("8", 1).to_json())
    async with world.cluster.producer() as producer:
        await producer.send_and_wait(topics.deferred(PROVIDER).name, waits, key=b"tmdb:movie:8:1", partition=0)
    await world.write([observed("8", 2).to_json()], 0)
    await world.write([observed("9", 1).to_json(), newer(observed("9", 2).to_json()), observed("9", 3).to_json()], 1)
    async with world.running():

        async def all_that_can_be():
            return bool(await world.published(1)) and "waits at offset 1" in caplog.text

        await until(all_that_can_be, what="what stands before the newer records published")
        assert await world.published(1) == [observed("9", 1).id]
        assert await world.published(0) == []
    assert await standing(world, 0) == [b"tmdb:movie:8:1"]
    assert [record async for record in read_to_end(world.cluster, topics.dead.name)] == []
    assert "only a newer version of changecast can read a deferred event (urn:changecast:schema:observed:2)" in caplog.text


async def test_a_partition_that_moves_while_an_entity_is_asked_for_publishes_its_events_once_and_in_order(world):
    await world.write([observed("7", 1).to_json(), observed("7", 2).to_json()], 0)
    async with world.running("first", 0.1) as first:

        async def both_deferred():
            return len(await standing(world, 0)) == 2

        await until(both_deferred, what="both events deferred")
        async with world.running("second", 0.1) as second:
            await until(lambda: len(first.positions()) == len(second.positions()) == PARTITIONS // 2, what="one partition each")
            owner: StreamsApp = second if any(tp.partition == 0 for tp in second.positions()) else first
            if owner is first:  # the assignment is Faust's: let the partition go by stopping its owner
                await first.stop()
                owner = second
                await until(lambda: len(second.positions()) == PARTITIONS, what="both at the second worker")
            await world.write([observed("7", 3).to_json()], 0)
            world.provider.stuck.unlink()

            async def all_published():
                assert not owner.failed.done()
                return len(await world.published(0)) >= 3

            await until(all_published, what="all three published")
    assert await world.published(0) == ids(1, 2, 3)
    assert await standing(world, 0) == []

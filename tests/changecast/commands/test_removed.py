"""What operators do about a subscription that was removed: forget it, or bring it back with what was dead."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.changecast.commands.operators import Operator, hook
from tests.sinks.test_handover import nothing_parked
from tests.sinks.test_removed import is_removed, places, state_of
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, until, until_async, webhook


@pytest.fixture
async def world(bootstrap_servers: str, topic_prefix: str) -> World:
    world = World(bootstrap_servers, topic_prefix)
    await world.prepare()
    return world


async def test_a_removed_one_that_is_back_has_what_was_dead_by_a_replay(world: World, tmp_path: Path) -> None:
    well = False

    async def moody(_call: Call) -> int:
        return 200 if well else 500

    async with receiving(moody) as receiver:
        config = config_of(webhook("hook", receiver.url), retry_schedule=["1h"])
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(3)))
            await until(lambda: len(receiver.calls) == 3)
        async with world.working(config_of(removed_subscription_grace="0s")):
            await until_async(lambda: _count(world, 3))
        without = Operator(world, tmp_path)
        assert "subscription-removed" in (await without.types("dead", "list")).output
        refused = await without.types("dead", "replay", "--reason", "subscription-removed")
        assert "there is no subscription hook any more" in refused.output
        assert "0 put back." in refused.output

        well = True
        operator = Operator(world, tmp_path, hook("hook", receiver.url))
        dry = await operator.types("dead", "replay", "--reason", "subscription-removed", "--dry-run")
        assert dry.output.count("would go again to hook") == 3
        assert await nothing_parked(world)
        result = await operator.types("dead", "replay", "--reason", "subscription-removed")
        assert "3 put back." in result.output, result.output
        async with world.working(config):
            await until(lambda: len(receiver.calls) == 6)
            await until_async(lambda: nothing_parked(world))
        assert set(Counter(call.id for call in receiver.calls).values()) == {2}


async def _count(world: World, wanted: int) -> bool:
    return len(await world.records(world.cluster.topics.dead.name)) == wanted


async def test_one_is_forgotten_once_no_worker_has_it(world: World, tmp_path: Path) -> None:
    async def failing(_call: Call) -> int:
        return 500

    async with receiving(failing) as receiver:
        gone = webhook("gone", receiver.url)
        operator = Operator(world, tmp_path)
        async with world.working(config_of(gone, retry_schedule=["1h"])):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(3)))
            await until(lambda: len(receiver.calls) == 3)
            early = await operator.types("endpoints", "forget", "gone")
            assert early.exit_code == 1
            assert "a sinks worker has gone in its config still" in early.output
        operator.write(hook("gone", receiver.url))
        configured = await operator.types("endpoints", "forget", "gone")
        assert configured.exit_code == 1
        assert "gone is in the config" in configured.output
        operator.write()
        async with world.working(config_of()):
            await until_async(lambda: is_removed(world, "gone"))
            assert "kept for" in " ".join((await operator.types("endpoints", "list")).output.split())
            result = await operator.types("endpoints", "forget", "gone")
            assert result.exit_code == 0, result.output
            await until_async(lambda: nothing_parked(world))
            await until_async(lambda: _no_place(world))
        assert await state_of(world, "gone") is None
        assert await world.records(world.cluster.topics.dead.name) == []
        unknown = await operator.types("endpoints", "forget", "gone")
        assert unknown.exit_code != 0


async def _no_place(world: World) -> bool:
    return not await places(world)

"""Subscriptions with cursors of their own: behind, new with a past, disabled and enabled again, over restarts and moves."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import Any

import orjson
import pytest

from runtime import kafka
from schemas.delivery import EndpointState
from sinks.topics import lagging_topic
from tests.eventually import until
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook


def numbers(calls: list[Call]) -> list[int]:
    return [int(json.loads(call.body)["id"].rsplit("-", 1)[1]) for call in calls]


async def cursors(world: World) -> dict[bytes, Any]:
    found = {record.key: record.value for record in await world.records(lagging_topic(world.cluster.topics).name)}
    return {key: orjson.loads(value) for key, value in found.items() if value is not None}


async def test_one_that_lags_goes_on_at_its_cursor_after_a_restart_in_order_and_without_repeats(world: World) -> None:
    gate = asyncio.Event()

    async def gated(call: Call) -> int:
        if call.path == "/slow":
            await gate.wait()
        return 200

    async with receiving(gated) as receiver:
        config = config_of(
            webhook("slow", f"{receiver.url}/slow", concurrency=2),
            webhook("fast", f"{receiver.url}/fast"),
            queue=5,
            timeout="30s",
        )
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id="one") for number in range(60)))
            await until(lambda: len(receiver.to("/fast")) == 60)
            await until(lambda: cursors(world))
            gate.set()
            await until(lambda: len(receiver.to("/slow")) >= 20)
        async with world.working(config):
            await until(lambda: len(receiver.to("/slow")) >= 60)
            await world.publish(*(change_event(number, entity_id="one") for number in range(60, 70)))
            await until(lambda: len(receiver.to("/slow")) >= 70)
            await until(lambda: _none(world))
    assert numbers(receiver.to("/slow")) == list(range(70))
    assert numbers(receiver.to("/fast")) == list(range(70))


async def test_what_exceeds_the_memory_of_all_queues_waits_at_a_cursor_as_beyond_a_full_queue(world: World) -> None:
    gate = asyncio.Event()

    async def gated(call: Call) -> int:
        if call.path == "/slow":
            await gate.wait()
        return 200

    async with receiving(gated) as receiver:
        slow, fast = (webhook(name, f"{receiver.url}/{name}", concurrency=1) for name in ("slow", "fast"))
        async with world.working(config_of(slow, fast, total_queue_bytes=1024 * 1024, timeout="30s")):
            await world.publish(*(change_event(number, entity_id="one", name="x" * 20_000) for number in range(100)))
            await until(lambda: len(receiver.to("/fast")) == 100)
            await until(lambda: cursors(world))
            gate.set()
            await until(lambda: len(receiver.to("/slow")) >= 100)
    assert numbers(receiver.to("/slow")) == list(range(100))


async def _none(world: World) -> bool:
    return not await cursors(world)


async def test_a_new_subscription_with_from_gets_what_was_published_before_it_and_once(world: World) -> None:
    async with receiving() as receiver:
        old = webhook("old", f"{receiver.url}/old")
        async with world.working(config_of(old)):
            await world.publish(*(change_event(number) for number in range(10)))
            await until(lambda: len(receiver.to("/old")) == 10)
        both = config_of(old, {**webhook("new", f"{receiver.url}/new"), "from": "1h"}, webhook("now", f"{receiver.url}/now"))
        for start in range(3):
            async with world.working(both):
                await world.publish(change_event(10 + start))
                await until(lambda: len(receiver.to("/new")) >= 11 + start)  # noqa: B023
                await until(lambda: len(receiver.to("/now")) >= 1 + start)  # noqa: B023
        assert numbers(receiver.to("/new")) == list(range(13))
        assert numbers(receiver.to("/now")) == [10, 11, 12]
        assert numbers(receiver.to("/old")) == list(range(13))


async def test_an_endpoint_that_is_enabled_again_gets_what_it_missed(world: World) -> None:
    async def gone_at_first(call: Call) -> int:
        return 410 if len(receiver.calls) == 1 else 200

    async with receiving(gone_at_first) as receiver:
        config = config_of(webhook("hook", receiver.url, concurrency=1))
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id="one") for number in range(5)))
            await until(lambda: _disabled(world))
            await world.publish(*(change_event(number, entity_id="one") for number in range(5, 8)))
        async with world.working(config):
            await world.publish(change_event(8, entity_id="one"))
            await until(lambda: cursors(world))
            assert len(receiver.calls) == 1
            await _enable(world)
            await until(lambda: len(receiver.calls) == 9)
    # the one that was answered 410 is dead, and may be replayed from there
    assert numbers(receiver.calls) == list(range(9))


async def _disabled(world: World) -> bool:
    return any(b"410" in record.value for record in await world.records(world.cluster.topics.endpoints.name))


async def _enable(world: World) -> None:
    topic = world.cluster.topics.endpoints.name
    state = EndpointState.model_validate_json((await world.records(topic))[-1].value)
    enabled = state.model_copy(update={"disabled_at": None, "disabled_reason": None})
    async with world.cluster.producer() as producer:
        await producer.send_and_wait(topic, enabled.to_json(), key=b"hook")


async def test_a_second_worker_takes_over_partitions_without_loss_or_repeats(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a worker learns by its next heartbeat that another has come or gone
    monkeypatch.setattr(kafka, "HEARTBEAT_MS", 300)

    async def soon(call: Call) -> int:
        await asyncio.sleep(0.02)
        return 200

    async with receiving(soon) as receiver:
        config = config_of(webhook("hook", receiver.url, concurrency=4))
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number % 20)) for number in range(200)))
            async with world.working(config):
                await world.publish(*(change_event(number, entity_id=str(number % 20)) for number in range(200, 400)))
                await until(lambda: len(receiver.calls) >= 300)
            await world.publish(*(change_event(number, entity_id=str(number % 20)) for number in range(400, 500)))
            await until(lambda: len({call.id for call in receiver.calls}) == 500)
    assert max(Counter(call.id for call in receiver.calls).values()) == 1
    order: dict[int, list[int]] = {}
    for number in numbers(receiver.calls):
        order.setdefault(number % 20, []).append(number)
    assert all(found == sorted(found) for found in order.values())


@pytest.mark.long
async def test_endpoints_that_fall_behind_and_catch_up_again_and_again_miss_nothing_and_get_nothing_twice(world: World) -> None:
    chance = random.Random(3)
    names, count = ["a", "b", "c", "d"], 600

    async def fitfully(call: Call) -> int:
        await asyncio.sleep(chance.choice([0, 0, 0, 0.001, 0.08]))
        return 200

    async with receiving(fitfully) as receiver:
        config = config_of(*(webhook(name, f"{receiver.url}/{name}", concurrency=4) for name in names), queue=5)
        async with world.working(config):
            for begin in range(0, count, 50):
                await world.publish(*(change_event(number, entity_id=str(number % 9)) for number in range(begin, begin + 50)))
            await until(lambda: all(len(receiver.to(f"/{name}")) >= count for name in names))
    for name in names:
        assert sorted(numbers(receiver.to(f"/{name}"))) == list(range(count))

"""A sinks worker as a process that is to end, or to start anew, while a receiver takes longer than a rebalance may."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from sinks.handover import HAND_OVER_S
from tests.producers.worlds import Process, changecast
from tests.sinks.test_handover import nothing_parked
from tests.sinks.test_reload import Config, known, ready
from tests.sinks.worlds import Call, World, change_event, receiving, until, until_async, webhook

TAKES_S = HAND_OVER_S + 2
DELIVERY = {"timeout": f"{TAKES_S + 2}s", "retry_schedule": ["1s", "1s"]}


@pytest.mark.timeout(120)
async def test_a_second_ctrl_c_ends_a_worker_at_once(world: World, tmp_path: Path) -> None:
    held = asyncio.Event()

    async def never(_call: Call) -> int:
        await held.wait()
        return 200

    async with receiving(never) as receiver:
        config = Config(tmp_path / "changecast.yaml", world)
        config.write(webhook("news", receiver.url), delivery={"timeout": "60s"})
        async with changecast("worker", "sinks", "-c", str(config.path)) as worker:
            await ready(worker)
            await known(world, "news")
            await world.publish(change_event(1))
            await until(lambda: len(receiver.calls) == 1)
            worker.process.send_signal(signal.SIGINT)
            # it has given its partitions away, and waits for the answer
            await until_async(lambda: _parked(world))
            worker.process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(worker.process.wait(), 20) == 1
        held.set()


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_workers_come_and_go_beside_a_receiver_that_takes_long_and_nothing_is_sent_twice(
    world: World, tmp_path: Path
) -> None:
    chance = random.Random(5)

    async def long(call: Call) -> int:
        await asyncio.sleep(chance.uniform(TAKES_S - 1, TAKES_S) if call.path == "/slow" else 0)
        return 200

    async with receiving(long) as receiver, contextlib.AsyncExitStack() as stack:
        config = Config(tmp_path / "changecast.yaml", world)
        slow, fast = webhook("slow", f"{receiver.url}/slow", concurrency=30), webhook("fast", f"{receiver.url}/fast")
        config.write(slow, fast, delivery=DELIVERY)

        async def started() -> Process:
            worker = await stack.enter_async_context(changecast("worker", "sinks", "-c", str(config.path)))
            await ready(worker)
            return worker

        published = itertools.count()

        async def publish() -> None:
            for number in published:
                await world.publish(change_event(number, entity_id=str(number)))
                await asyncio.sleep(0.2)

        async def more() -> None:
            count = len(receiver.to("/slow")) + 5
            await until(lambda: len(receiver.to("/slow")) >= count, 60)

        first = await started()
        await known(world, "slow", "fast")
        publishing = asyncio.create_task(publish())
        await more()
        second = await started()
        await more()
        first.process.send_signal(signal.SIGTERM)
        await more()
        third = await started()
        await more()
        config.write(slow | {"when": "true"}, fast, delivery=DELIVERY)
        second.process.send_signal(signal.SIGHUP)
        await ready(second, times=2)
        await more()
        assert await asyncio.wait_for(first.process.wait(), 40) == 0
        publishing.cancel()
        count = next(published)
        await until(lambda: len({call.id for call in receiver.to("/slow")}) >= count - 1, 60)
        await until_async(lambda: nothing_parked(world), 60)
        for worker in (second, third):
            worker.process.send_signal(signal.SIGTERM)
        for worker in (second, third):
            assert await asyncio.wait_for(worker.process.wait(), 40) == 0
    for path in ("/slow", "/fast"):
        assert {one: times for one, times in Counter(call.id for call in receiver.to(path)).items() if times > 1} == {}


async def _parked(world: World) -> bool:
    return not await nothing_parked(world)

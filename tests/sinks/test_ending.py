"""A sinks worker as a process that is to end, or to start anew, while a receiver takes longer than a rebalance may."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest

from sinks.handover import HAND_OVER_S
from tests.producers.worlds import changecast
from tests.sinks.test_handover import nothing_parked
from tests.sinks.test_reload import Config, known, ready
from tests.sinks.worlds import Call, World, change_event, receiving, until, until_async, webhook

TAKES_S = HAND_OVER_S + 2
DELIVERY = {"timeout": f"{TAKES_S + 2}s", "retry_schedule": ["1s", "1s"]}


@pytest.mark.timeout(180)
async def test_what_outlasts_the_hand_over_arrives_once_over_a_reload(world: World, tmp_path: Path) -> None:
    async def long(call: Call) -> int:
        await asyncio.sleep(TAKES_S if call.path == "/old" else 0)
        return 200

    async with receiving(long) as receiver:
        config = Config(tmp_path / "changecast.yaml", world)
        config.write(webhook("news", f"{receiver.url}/old", concurrency=2), delivery=DELIVERY)
        async with changecast("worker", "sinks", "-c", str(config.path)) as worker:
            await ready(worker)
            await known(world, "news")
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(6)))
            await until(lambda: len(receiver.to("/old")) == 2)

            config.write(webhook("news", f"{receiver.url}/new", concurrency=2), delivery=DELIVERY)
            worker.process.send_signal(signal.SIGHUP)
            await ready(worker, times=2)
            await until(lambda: len(receiver.calls) >= 6, 60)
            await until_async(lambda: nothing_parked(world), 60)
            worker.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(worker.process.wait(), 25) == 0
        assert len(receiver.to("/old")) == 2
        assert set(Counter(call.id for call in receiver.calls).values()) == {1}


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


async def _parked(world: World) -> bool:
    return not await nothing_parked(world)

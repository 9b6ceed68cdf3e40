"""Limits with several real workers on a real Kafka: they hold through a join, a stop and a kill -9, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from sinks.topics import leases_topic
from tests.eventually import until
from tests.sinks.lease_worlds import most_in_a_window
from tests.sinks.test_kills import ROOT, worker_process
from tests.sinks.worlds import SECRET, World, change_event


class Arrival(NamedTuple):
    came: float
    answered: float
    worker: str | None


class Calls:
    """What the receiver noted, by name."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def to(self, name: str) -> list[Arrival]:
        async with self._session.get(f"{self.url}/{name}") as response:
            return [Arrival(came, answered or math.inf, worker) for came, answered, worker in await response.json()]

    async def from_each(self, *workers: str) -> None:
        """Return when each webhook has had some more of each of these workers, and Slack of any."""
        before = {name: len(await self.to(name)) for name in ("paced", "single", "slack")}

        async def came() -> bool:
            new = {name: Counter(call.worker for call in (await self.to(name))[count:]) for name, count in before.items()}
            return new["slack"].total() >= 3 and all(new[name][worker] >= 3 for name in ("paced", "single") for worker in workers)

        await until(came)


@contextlib.asynccontextmanager
async def receiver_process() -> AsyncIterator[Calls]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.sinks.receiver_process"), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with aiohttp.ClientSession() as session:
            yield Calls((await process.stdout.readline()).decode().strip(), session)
    finally:
        process.kill()
        await process.wait()


def config_for(url: str, worker: str) -> dict[str, Any]:
    common = {"secret": SECRET, "headers": {"x-worker": worker}}
    hook = {"url": f"{url}/paced/0", "rate": 5, **common}
    single = {"url": f"{url}/single/40", "concurrency": 1, **common}
    return {
        "network": {"allow": ["127.0.0.0/8"]},
        # a killed worker's last attempt may take as long, and is waited for
        "delivery": {"timeout": "2s"},
        "subscriptions": [
            {"name": "paced", "webhook": hook},
            {"name": "single", "webhook": single},
            *({"name": f"slack-{number}", "slack": {"webhook_url": f"{url}/slack/0"}} for number in range(2)),
        ],
    }


async def assert_kept(calls: Calls) -> None:
    assert most_in_a_window([call.came for call in await calls.to("paced")], 1.0) <= 5
    assert most_in_a_window([call.came for call in await calls.to("slack")], 1.0) == 1
    single = sorted(await calls.to("single"))
    assert [(one, other) for one, other in itertools.pairwise(single) if other.came < one.answered] == []


async def _publish_on(world: World) -> None:
    """More than the limits let through, so that something waits everywhere."""
    for first in itertools.count(1, 30):
        await world.publish(*(change_event(number, entity_id=str(number % 200)) for number in range(first, first + 30)))
        await asyncio.sleep(0.5)


@pytest.mark.long
async def test_limits_hold_over_three_workers_through_a_join_a_stop_and_a_kill(
    bootstrap_servers: str, topic_prefix: str, tmp_path: Path
) -> None:
    world = World(bootstrap_servers, topic_prefix, partitions=3)
    await world.prepare()
    async with world.cluster.producer() as producer:
        for value in (b"no record", b'{"worker": "x", "number": 1e400}', None):
            await producer.send_and_wait(leases_topic(world.cluster.topics).name, value, key=b"x")
    async with receiver_process() as calls, contextlib.AsyncExitStack() as stack:

        async def started(worker: str) -> asyncio.subprocess.Process:
            return await stack.enter_async_context(worker_process(world, config_for(calls.url, worker), tmp_path / worker))

        first = await started("a")
        for _ in range(160):
            await world.publish(change_event(0, entity_id="first"))
            if await calls.to("paced"):
                break
            await asyncio.sleep(0.25)
        publishing = asyncio.create_task(_publish_on(world))
        stack.callback(publishing.cancel)
        await calls.from_each("a")
        second = await started("b")
        await calls.from_each("a", "b")
        await started("c")
        await calls.from_each("a", "b", "c")
        first.send_signal(signal.SIGTERM)
        await asyncio.wait_for(first.wait(), 30)
        await calls.from_each("b", "c")
        second.kill()
        await calls.from_each("c")
        await started("d")
        await calls.from_each("c", "d")
        await assert_kept(calls)

"""A sinks process that is killed at any moment loses nothing, and repeats only what was in flight."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import until
from tests.sinks.worlds import SECRET, Call, World, change_event, receiving

ROOT = Path(__file__).resolve().parents[2]
COMMIT_WINDOW = 400
"""Answers that came in the tenth of a second before a kill, and whose commit was on its way."""


@contextlib.asynccontextmanager
async def worker_process(world: World, config: dict[str, Any], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.sinks.worker_process"),
            *(
                world.cluster.bootstrap_servers,
                world.cluster.topics.prefix,
                str(world.cluster.topics.partitions),
                json.dumps(config),
            ),
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.long
async def test_kills_with_deliveries_in_flight_lose_none_and_keep_the_order(world: World, tmp_path: Path) -> None:
    chance = random.Random(7)
    failing: set[str] = set()

    async def moody(call: Call) -> int:
        await asyncio.sleep(chance.random() * 0.02)
        if call.path == "/moody" and call.id not in failing and chance.random() < 0.1:
            failing.add(call.id)
            return 500
        return 200

    async with receiving(moody) as receiver:
        config = {
            "network": {"allow": ["127.0.0.0/8"]},
            "delivery": {"retry_schedule": ["1s"] * 20, "queue": 100, "breaker": {"failed": 1}},
            "subscriptions": [
                {"name": name, "webhook": {"url": f"{receiver.url}/{name}", "secret": SECRET}} for name in ("steady", "moody")
            ],
        }
        total, kills = 450, 2
        async with worker_process(world, config, tmp_path / "log"):
            numbers = iter(range(1, total + 1))
            await _publish_until_called(world, receiver.calls)
            await _publish(world, numbers, total // 3)
            await until(lambda: len(receiver.calls) > 60)
        for _ in range(kills - 1):
            before = len(receiver.calls)
            async with worker_process(world, config, tmp_path / "log"):
                await _publish(world, numbers, total // 3)
                await until(lambda: len(receiver.calls) > before + 60)  # noqa: B023
        async with worker_process(world, config, tmp_path / "log"):
            await _publish(world, numbers, total // 3)
            await until(lambda: _events(receiver.calls, "/steady") == total and _events(receiver.calls, "/moody") == total, 60)
    for path in ("/steady", "/moody"):
        assert _in_order(receiver.to(path)), path
        repeats = sum(Counter(call.id for call in receiver.to(path)).values()) - total
        assert repeats - len(failing) < COMMIT_WINDOW * kills


async def _publish_until_called(world: World, calls: list[Call]) -> None:
    """A subscription begins when its worker first starts, so what is published before that is not its own."""
    for _ in range(160):
        await world.publish(change_event(0, entity_id="first"))
        if calls:
            return
        await asyncio.sleep(0.25)
    raise AssertionError("no worker has delivered anything")


def _events(calls: list[Call], path: str) -> int:
    return len({json.loads(call.body)["id"] for call in calls if call.path == path and b"event-first" not in call.body})


def _in_order(calls: list[Call]) -> bool:
    """First attempts of each entity, in the order of the events."""
    first: dict[str, list[int]] = {}
    seen = set()
    for call in calls:
        if call.id not in seen:
            seen.add(call.id)
            document = json.loads(call.body)
            first.setdefault(document["subject"], []).append(int(document["id"].rsplit("-", 1)[1]))
    return all(numbers == sorted(numbers) for numbers in first.values())


async def _publish(world: World, numbers: Any, count: int) -> None:
    await world.publish(*(change_event(number, entity_id=str(number % 17)) for number in itertools.islice(numbers, count)))


async def test_a_kill_while_alerts_are_told_loses_none_and_writes_none_twice(world: World, tmp_path: Path) -> None:
    async def answer(call: Call) -> int:
        return 200 if call.path == "/ops" else 410

    gone = [f"gone-{number}" for number in range(40)]
    async with receiving(answer) as receiver:
        config = {
            "network": {"allow": ["127.0.0.0/8"]},
            "subscriptions": [
                *({"name": name, "webhook": {"url": f"{receiver.url}/{name}", "secret": SECRET}} for name in gone),
                {"name": "ops", "alerts": True, "webhook": {"url": f"{receiver.url}/ops", "secret": SECRET, "concurrency": 1}},
            ],
        }
        async with worker_process(world, config, tmp_path / "log"):
            await _publish_until_called(world, receiver.calls)
            await until(lambda: receiver.to("/ops"), 60)
        async with worker_process(world, config, tmp_path / "log"):
            await until(lambda: len({call.id for call in receiver.to("/ops")}) == len(gone), 60)
    told = [json.loads(record.value)["data"]["subscription"] for record in await world.records(world.cluster.topics.alerts.name)]
    assert sorted(told) == sorted(gone)

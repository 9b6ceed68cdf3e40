"""A receiver that hangs costs a bounded piece of memory, whatever is published meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil

from schemas.event import Change, Image
from tests.sinks.test_kills import worker_process
from tests.sinks.worlds import SECRET, Call, World, change_event, receiving

MOST = 64 * 1024 * 1024
EVENTS = 1200
"""Of 22 KB each, 50 pictures and a change of 500 values: parsed, each takes ten times as much."""


async def test_a_receiver_that_hangs_costs_at_most_64_mb(world: World, tmp_path: Path) -> None:
    hung = asyncio.Event()

    async def hang(call: Call) -> int:
        if call.path == "/hangs":
            await hung.wait()
        return 200

    async with receiving(hang) as receiver:
        config = {
            "network": {"allow": ["127.0.0.0/8"]},
            "delivery": {"timeout": "3600s"},
            "subscriptions": [
                {"name": "hangs", "webhook": {"url": f"{receiver.url}/hangs", "secret": SECRET, "concurrency": 50}},
                {"name": "well", "webhook": {"url": f"{receiver.url}/well", "secret": SECRET, "format": "thin"}},
            ],
        }
        async with worker_process(world, config, tmp_path / "log") as process:
            seen = 0
            while not receiver.to("/well"):
                await world.publish(change_event(seen, entity_id="first"))
                await asyncio.sleep(0.25)
            memory = psutil.Process(process.pid).memory_info
            before = most = memory().rss
            done = asyncio.create_task(_publish(world))
            while len({call.id for call in receiver.to("/well")}) < EVENTS:
                most = max(most, memory().rss)
                await asyncio.sleep(0.05)
            await done
            most = max(most, memory().rss)
            assert len(receiver.to("/hangs")) <= 50
            hung.set()
    assert most - before <= MOST, f"{(most - before) / 1e6:.0f} MB"


async def _publish(world: World) -> None:
    images = [
        Image(kind="still", url=f"https://image.example/original/{n}.jpg", width=1920, height=1080, path=f"/{n}.jpg")
        for n in range(50)
    ]
    change = Change(key="images", action="added", after={f"field {n}": [n, str(n)] for n in range(500)})
    for begin in range(0, EVENTS, 100):
        await world.publish(
            *(change_event(n, entity_id=str(n), changes=[change], images=images) for n in range(begin, begin + 100))
        )

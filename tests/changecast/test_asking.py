"""A cluster that goes away in the middle of a command."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from changecast.kafka import EmbeddedBroker
from runtime.kafka import REMEDY
from tests.changecast.commands.operators import attempt, record
from tests.sinks.worlds import World

IMPATIENT = (
    "from changecast import asking; asking.AWAY_S, asking.LOOKED_EVERY_S = 2.0, 0.5; from changecast.cli import main; main()"
)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path / "kafka", port=0)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.mark.kafka
async def test_the_message_is_all_that_is_seen_when_kafka_goes_away_during_a_command(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    world = World(broker.bootstrap_servers, "changecast")
    await world.prepare()
    config = tmp_path / "changecast.yaml"
    kafka = f"{{bootstrap_servers: '{broker.bootstrap_servers}', partitions: 2}}"
    config.write_text(f"kafka: {kafka}\nproviders: {{tmdb: {{token: t}}}}\n")
    command = (sys.executable, "-c", IMPATIENT, "deliveries", "list", "--follow", "-c", str(config))
    following = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert following.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert (await following.stdout.readline()).startswith(b"when (UTC)")
            reading = asyncio.create_task(following.stdout.readline())
            while not reading.done():
                await record(world, attempt())
                await asyncio.wait([reading], timeout=0.2)
            assert broker.pid is not None
            os.kill(broker.pid, signal.SIGKILL)
            _, errors = await following.communicate()
    finally:
        if following.returncode is None:
            following.kill()
    assert following.returncode == 1
    assert errors.decode() == f"Error: Kafka at {broker.bootstrap_servers} answers no more: {REMEDY}\n"

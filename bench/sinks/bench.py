"""The sinks beside a bare aiohttp client: saturated at one endpoint and at ten, at an open loop, beside a slow neighbour; matching."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

import aiohttp
from rich.console import Console

from bench.processes import answering
from bench.report import written
from bench.sinks.latency import Latency
from bench.sinks.matching import microseconds_an_event
from bench.sinks.measured import Measured, Size
from bench.sinks.report import rows, words
from bench.sinks.saturated import Saturated
from bench.sinks.world import Receiver, World
from changecast.kafka import EmbeddedBroker


async def measure(world: World, size: Size) -> Measured:
    measured = Measured()
    saturated, latency = Saturated(world, size), Latency(world, size)
    for endpoints, concurrency in ((1, 64), (10, 8)):
        measured.saturated.append(await saturated.against(endpoints, concurrency))
    measured.relayed = await latency.relayed()
    measured.open_loop = await latency.open_loop()
    measured.isolated = await latency.isolated()
    measured.matching = microseconds_an_event(size.events, 3 * size.rounds)
    world.say("matching measured")
    return measured


async def run(size: Size, *, results: Path | None) -> None:
    """Measure, show the table, and write its section of `results`."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="changecast-bench-"))
    broker = EmbeddedBroker(folder, port=0, heap="512m")
    try:
        servers = await broker.start()
        with answering("bench.sinks.receiver") as url:
            async with aiohttp.ClientSession() as session:
                world = World(servers, Receiver(url, session), folder, lambda text: console.print(text, highlight=False))
                measured = await measure(world, size)
    finally:
        await broker.stop()
        shutil.rmtree(folder, ignore_errors=True)
    written("Sinks", rows(measured, size.rate), words(size), console, results)

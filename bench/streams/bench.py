"""The streams against the obvious Faust agent and a bare loop, with few and with many known ids; latency; recovery."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.processes import answering
from bench.report import written
from bench.streams.known import known, started
from bench.streams.latency import latencies
from bench.streams.measured import Measured, Size
from bench.streams.report import rows, words
from bench.streams.turns import in_turns
from bench.streams.world import World
from changecast.kafka import EmbeddedBroker


async def measure(world: World, size: Size) -> Measured:
    return Measured(
        start_s=await started(world),
        known=[await known(world, entities, size) for entities in size.known],
        turns=await in_turns(world, size),
        latencies=await latencies(world, size),
    )


async def run(size: Size, *, results: Path | None) -> None:
    """Measure, show the table, and write its section of `results`."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="changecast-bench-"))
    broker = EmbeddedBroker(folder, port=0, heap="512m")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        servers = await broker.start()
        with answering("bench.streams.answers") as url, Progress(*columns, console=console, transient=True) as progress:
            measured = await measure(World(servers, url, folder / "subjects", progress), size)
    finally:
        await broker.stop()
        shutil.rmtree(folder, ignore_errors=True)
    written("Streams", rows(measured), words(size), console, results)

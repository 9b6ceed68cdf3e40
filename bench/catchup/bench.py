"""A producers worker that comes back after three days: its memory, its requests, and how long the newest changes wait meanwhile."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.catchup.report import written
from bench.catchup.world import KINDS, PROBES_FROM, Outage, number_of_entry, number_of_item
from changecast.kafka import EmbeddedBroker
from changecast.leash import LEASH_VARIABLE
from producers.pbs.poll import Position
from producers.tmdb.progress import Progress as TmdbProgress
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from schemas.config.providers import Tmdb
from schemas.cursor import Cursor
from schemas.feed_status import is_status_key

_ROOT = Path(__file__).parents[2]
_AWAY = timedelta(days=3)
_SAMPLED_EVERY_S = 0.1
_PROVIDERS = ("tmdb", "pbs")


@dataclass(frozen=True)
class Size:
    """See `Outage`. `rate` is the setting of each provider, of which polling has `polling_share`."""

    entities: int = 8_000
    items: int = 40
    entries: int = 360_000
    rate: float = 500
    interval_s: float = 10.0
    within_s: float = 1_800.0
    polling_share: float = 0.3

    @property
    def changes(self) -> int:
        return len(KINDS) * self.entities * self.items + self.entries

    @property
    def polling_rate(self) -> float:
        return self.rate * self.polling_share

    def outage(self) -> Outage:
        now = datetime.now(UTC).replace(microsecond=0)
        return Outage(now - _AWAY, now, self.entities, self.items, self.entries)


FULL = Size()
SHORT = Size(entities=400, entries=18_000, interval_s=5.0, within_s=180.0)


@dataclass
class Asked:
    """`peak`: the most requests within any second. `took_s`: until the cursors had passed the end of the outage."""

    requests: int
    peak: int
    took_s: float


@dataclass
class Measured:
    """`read`: different changes of the outage that are in the raw topics. `waits`: seconds from a change's listing to its event."""

    read: int = 0
    start_bytes: int = 0
    peak_bytes: int = 0
    asked: dict[str, Asked] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)


class Reading:
    """What the worker writes, read as it comes: which changes there are, how far the cursors are, when each probe was told."""

    def __init__(self, outage: Outage) -> None:
        self._outage = outage
        self._seen = bytearray(outage.changes)
        self._began = time.monotonic()
        self.read = 0
        self.probes: dict[int, float] = {}
        self.caught_up: dict[str, float] = {}

    def take(self, record: ConsumerRecord) -> None:
        if record.topic.endswith(".cursors"):
            self._take_cursor(record)
        elif record.topic.endswith(".pbs"):
            self._see(self._outage.of_tmdb + number_of_entry(record.key))
        else:
            number = number_of_item(dict(record.headers)["ce_id"])
            if number >= PROBES_FROM:
                self.probes.setdefault(number, record.timestamp / 1000)
            else:
                self._see(number)

    def _see(self, number: int) -> None:
        self.read += not self._seen[number]
        self._seen[number] = 1

    def _take_cursor(self, record: ConsumerRecord) -> None:
        if is_status_key(record.key):
            return
        cursor = Cursor.model_validate_json(record.value)
        if cursor.read_to >= self._outage.ended:
            self.caught_up.setdefault(f"{cursor.provider}:{cursor.feed}", time.monotonic() - self._began)

    @property
    def done(self) -> bool:
        return len(self.caught_up) == len(KINDS) + 1 and self.read == self._outage.changes


async def run(size: Size, *, results: Path | None) -> bool:
    """Measure, show the table, and write it to `results`. Whether the goals were met that don't depend on how busy the machine is."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="changecast-bench-"))
    broker = EmbeddedBroker(folder, port=0, heap="512m")
    try:
        cluster = Cluster.at(await broker.start(), "bench-catchup")
        outage = size.outage()
        with providing(outage) as url:
            await leave_cursors(cluster, outage)
            measured = await measure(cluster, size, outage, url, folder, console)
    finally:
        await broker.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return written(measured, size, console, results)


async def leave_cursors(cluster: Cluster, outage: Outage) -> None:
    """What a worker that went away when the outage began has left behind."""
    began = outage.began
    left = [TmdbProgress.first(kind, timedelta(), began, Tmdb().overlap).cursor(began) for kind in KINDS]
    position = Position(newest=began, begun=began, reread_at=began)
    left.append(Cursor(provider="pbs", feed="changelog", read_to=began, position=position.as_json(), saved_at=began))
    await ensure_topics(
        cluster, [*cluster.topics.common(), *(t for name in _PROVIDERS for t in cluster.topics.of_provider(name))]
    )
    async with cluster.producer() as producer:
        for cursor in left:
            await producer.send_and_wait(cluster.topics.cursors.name, cursor.to_json(), key=cursor.key)


async def measure(cluster: Cluster, size: Size, outage: Outage, url: str, folder: Path, console: Console) -> Measured:
    measured, reading = Measured(), Reading(outage)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with reader(cluster) as consumer:
        with polling(cluster, size, url, folder) as worker, Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("changes read", total=size.changes)
            sampling = asyncio.create_task(sample(worker.pid, url, measured))
            deadline = time.monotonic() + size.within_s
            try:
                while not reading.done:
                    for records in (await consumer.getmany(timeout_ms=200, max_records=5_000)).values():
                        for record in records:
                            reading.take(record)
                    progress.update(task, completed=reading.read)
                    if worker.poll() is not None or sampling.done() or time.monotonic() > deadline:
                        log = (folder / "log").read_text()[-2_000:]
                        raise RuntimeError(f"{reading.read} of {size.changes} changes, {reading.caught_up}; its log: {log}")
            finally:
                sampling.cancel()
                await asyncio.gather(sampling, return_exceptions=True)
            told = await asked_of(url)
    measured.read = reading.read
    for name in _PROVIDERS:
        took = max(seconds for feed, seconds in reading.caught_up.items() if feed.startswith(f"{name}:"))
        measured.asked[name] = Asked(told["asked"][name]["requests"], told["asked"][name]["peak"], took)
    # one that is not told yet has waited until now, at least
    now = time.time()
    measured.waits = [reading.probes.get(int(probe), now) - shown for probe, shown in told["probes"].items()]
    return measured


async def sample(pid: int, url: str, measured: Measured) -> None:
    """The worker's memory, until cancelled."""
    process = psutil.Process(pid)
    while True:
        resident = int(process.memory_info().rss)
        if not measured.start_bytes and any(asked["requests"] for asked in (await asked_of(url))["asked"].values()):
            measured.start_bytes = resident
        measured.peak_bytes = max(measured.peak_bytes, resident)
        await asyncio.sleep(_SAMPLED_EVERY_S)


async def asked_of(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/bench") as response:
        return await response.json()


@asynccontextmanager
async def reader(cluster: Cluster) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = cluster.consumer(group_id=None)
    await consumer.start()
    try:
        topics = [cluster.topics.cursors, *(cluster.topics.raw(name) for name in _PROVIDERS)]
        assigned = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
        consumer.assign(assigned)
        await consumer.seek_to_beginning(*assigned)
        yield consumer
    finally:
        await consumer.stop()


@contextmanager
def providing(outage: Outage) -> Iterator[str]:
    """The URL of the process of `provider.py`."""
    command = [sys.executable, "-m", "bench.catchup.provider", outage.as_json()]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, cwd=_ROOT, text=True, env={**os.environ, LEASH_VARIABLE: "1"}
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def polling(cluster: Cluster, size: Size, url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`changecast worker producers`, with a config that names this broker and these providers."""
    shared = {"rate": size.rate, "enrichment_share": 1 - size.polling_share, "interval": f"{size.interval_s:g}s"}
    config = {
        "kafka": {"bootstrap_servers": cluster.bootstrap_servers, "topic_prefix": cluster.topics.prefix},
        "providers": {
            "tmdb": {"token": "bench", "base_url": f"{url}/tmdb", **shared},
            "pbs": {"key": "bench", "secret": "bench", "base_url": f"{url}/pbs", **shared},
        },
    }
    path = folder / "changecast.yaml"
    path.write_text(json.dumps(config))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "changecast", "worker", "producers", "-c", str(path)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=_ROOT,
            env={**os.environ, LEASH_VARIABLE: "1"},
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()

"""The streams against the obvious Faust agent and a bare loop, with few and with many known ids; latency; recovery."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import quantiles

from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.processes import Subject, answering, running
from bench.report import written
from bench.streams.preload import preload
from bench.streams.report import rows, words
from bench.streams.workload import PROVIDER, Input
from changecast.kafka import EmbeddedBroker
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from schemas.event import ObservedEvent

_START_WITHIN_S = 600.0
_PASS_WITHIN_S = 1_800.0


@dataclass(frozen=True)
class Size:
    """`known`: ids and snapshots before the measurement, ascending. `events`: through each subject, half of them repeats."""

    known: tuple[int, ...]
    events: int
    rates: tuple[int, ...] = (10, 100, 500)
    rate_s: float = 20.0


FULL = Size(known=(10_000, 100_000, 1_000_000), events=20_000)
SHORT = Size(known=(1_000, 5_000), events=1_200, rates=(100,), rate_s=3.0)


@dataclass
class Passage:
    """A run of the input through one subject: events/s from the first output to the last; bytes resident after it; its seconds of
    processor time an event, which tell more than events/s where other programs use the machine."""

    events_s: float
    resident: int
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.events_s:,.0f} events/s, {self.cpu_s * 1000:.2f} ms CPU each"


@dataclass
class Known:
    """The streams with so many known ids and snapshots. Seconds from the start of the process to the first output."""

    entities: int
    passage: Passage
    lost_disk_s: float
    with_disk_s: float
    id_bytes: float
    snapshot_bytes: float


@dataclass
class Measured:
    start_s: float = 0.0
    known: list[Known] = field(default_factory=list)
    others: dict[str, Passage] = field(default_factory=dict)
    latencies: dict[int, tuple[float, float]] = field(default_factory=dict)


class Bench:
    def __init__(self, size: Size, servers: str, url: str, folder: Path, progress: Progress) -> None:
        self._size = size
        self._servers = servers
        self._url = url
        self._folder = folder
        self._progress = progress
        self.measured = Measured()

    async def run(self) -> Measured:
        await self._start()
        for entities in self._size.known:
            self.measured.known.append(await self._known(entities))
        for kind in ("agent", "agent-bare", "loop"):
            self.measured.others[kind] = await self._other(kind)
        await self._latencies()
        return self.measured

    async def _start(self) -> None:
        """What a worker needs to start when it knows nothing: told apart from the recovery."""
        cluster = await self._cluster("empty")
        await preload(cluster, 1, lambda _: None)
        await self._write(cluster, Input(1).with_repeats(2), 2)
        with self._step("start of a worker"), self._running("streams", cluster, self._folder / "empty") as subject:
            self.measured.start_s = await self._first_output(cluster, subject, 0)

    async def _known(self, entities: int) -> Known:
        name = f"{entities} known"
        cluster = await self._cluster(f"known-{entities}")
        with self._step(f"{name}: written to the changelog", entities) as task:
            await preload(cluster, entities, lambda done: self._progress.update(task, completed=done))
        await self._write(cluster, Input(entities).with_repeats(self._size.events), self._size.events)
        folder = self._folder / f"known-{entities}"
        with self._step(f"{name}: through the streams, disk lost"), self._running("streams", cluster, folder) as subject:
            lost_disk_s = await self._first_output(cluster, subject, 0)
            passage = await self._passage(cluster, subject, self._size.events, self._size.events // 2)
        # one event more, for the worker that comes back to find
        before = await self._ends(cluster)
        await self._write(cluster, [Input(entities).fresh(0)], 1)
        with self._step(f"{name}: started again with its disk"), self._running("streams", cluster, folder) as subject:
            with_disk_s = await self._first_output(cluster, subject, before)
        ids = entities + self._size.events // 2
        seen, snapshots = _on_disk(folder, "seen") / ids, _on_disk(folder, "snapshots") / entities
        return Known(entities, passage, lost_disk_s, with_disk_s, seen, snapshots)

    async def _other(self, kind: str) -> Passage:
        cluster = await self._cluster(kind)
        # the agent waits for each fetch before it takes the next event: the beginning of the input must do
        events = self._size.events // 5 if kind == "agent" else self._size.events
        expected = events if kind == "loop" else events // 2
        await ensure_topics(cluster, cluster.topics.of_provider(PROVIDER))
        await self._write(cluster, Input(self._size.known[0]).with_repeats(events), events)
        with self._step(kind), self._running(kind, cluster, self._folder / kind) as subject:
            await self._first_output(cluster, subject, 0)
            return await self._passage(cluster, subject, events, expected)

    async def _latencies(self) -> None:
        cluster = await self._cluster("latency")
        entities = self._size.known[0]
        await preload(cluster, entities, lambda _: None)
        events = map(Input(entities).fresh, count())
        await self._write(cluster, [next(events)], 1)
        with self._running("streams", cluster, self._folder / "latency") as subject:
            await self._first_output(cluster, subject, 0)
            for rate in self._size.rates:
                with self._step(f"raw to published at {rate}/s"):
                    self.measured.latencies[rate] = await self._latency(cluster, events, rate)

    async def _latency(self, cluster: Cluster, events: Iterator[tuple[int, ObservedEvent]], rate: int) -> tuple[float, float]:
        """p50 and p99 in seconds, from `send` to a read_committed consumer's hands, at an open loop."""
        sent: dict[str, float] = {}
        took: list[float] = []
        number_of_events = int(rate * self._size.rate_s)
        consumer = await self._reader(cluster, seek_end=True)
        raw = cluster.topics.raw(PROVIDER).name

        async def write() -> None:
            async with cluster.producer() as producer:
                began = time.perf_counter()
                for index in range(number_of_events):
                    await asyncio.sleep(max(0.0, began + index / rate - time.perf_counter()))
                    number, event = next(events)
                    sent[event.id] = time.perf_counter()
                    await producer.send(
                        raw, event.to_json(), key=event.subject.encode(), partition=number % cluster.topics.partitions
                    )

        writing = asyncio.create_task(write())
        deadline = time.perf_counter() + self._size.rate_s + 30
        try:
            while len(took) < number_of_events and time.perf_counter() < deadline:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    now = time.perf_counter()
                    took += [now - sent[identity] for r in records if (identity := dict(r.headers)["ce_id"].decode()) in sent]
            await writing
        finally:
            writing.cancel()
            await consumer.stop()
        cuts = quantiles(took, n=100)
        return cuts[49], cuts[98]

    async def _cluster(self, name: str) -> Cluster:
        return Cluster.at(self._servers, f"bench-{name}")

    async def _write(self, cluster: Cluster, events: Iterable[tuple[int, ObservedEvent]], count: int) -> None:
        raw = cluster.topics.raw(PROVIDER).name
        with self._step("input written", count) as task:
            async with cluster.producer(max_batch_size=1 << 20, linger_ms=5) as producer:
                for number, event in events:
                    partition = number % cluster.topics.partitions
                    await producer.send(raw, event.to_json(), key=event.subject.encode(), partition=partition)
                    self._progress.advance(task)

    async def _ends(self, cluster: Cluster) -> int:
        consumer = await self._reader(cluster, seek_end=False)
        try:
            return sum((await consumer.end_offsets(consumer.assignment())).values())
        finally:
            await consumer.stop()

    async def _first_output(self, cluster: Cluster, subject: Subject, behind: int) -> float:
        """Seconds until the output's end offsets are beyond `behind`."""
        began = time.perf_counter()
        consumer = await self._reader(cluster, seek_end=False)
        try:
            while sum((await consumer.end_offsets(consumer.assignment())).values()) <= behind:
                if not subject.alive or time.perf_counter() - began > _START_WITHIN_S:
                    raise RuntimeError(f"no output; its log: {subject.last_words()}")
                await asyncio.sleep(0.1)
        finally:
            await consumer.stop()
        return time.perf_counter() - began

    async def _passage(self, cluster: Cluster, subject: Subject, events: int, expected: int) -> Passage:
        """Wait until the expected number has come out. The broker's own timestamps of the outputs tell how long it took."""
        consumer = await self._reader(cluster, seek_end=False)
        times: list[int] = []
        used = subject.cpu_s()
        deadline = time.perf_counter() + _PASS_WITHIN_S
        try:
            while len(times) < expected:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    times += [record.timestamp for record in records]
                if not subject.alive or time.perf_counter() > deadline:
                    raise RuntimeError(f"{len(times)} of {expected} came out; its log: {subject.last_words()}")
            cpu = (subject.cpu_s() - used) / events
            return Passage(events / max((max(times) - min(times)) / 1000, 0.001), subject.resident(), cpu)
        finally:
            await consumer.stop()

    async def _reader(self, cluster: Cluster, *, seek_end: bool) -> AIOKafkaConsumer:
        consumer = cluster.consumer(group_id=None)
        await consumer.start()
        tps = [TopicPartition(cluster.topics.changes(PROVIDER).name, number) for number in range(cluster.topics.partitions)]
        consumer.assign(tps)
        await (consumer.seek_to_end(*tps) if seek_end else consumer.seek_to_beginning(*tps))
        return consumer

    def _running(self, kind: str, cluster: Cluster, folder: Path) -> AbstractContextManager[Subject]:
        """One of `subjects`."""
        arguments = (kind, cluster.bootstrap_servers, cluster.topics.prefix, str(folder), self._url)
        return running("bench.streams.subjects", *arguments, log=folder / "log")

    @contextmanager
    def _step(self, text: str, total: int | None = None):  # type: ignore[no-untyped-def]
        task = self._progress.add_task(text, total=total)
        began = time.monotonic()
        yield task
        self._progress.remove_task(task)
        if not self._progress.console.is_terminal:
            self._progress.console.print(f"{text}: {time.monotonic() - began:.0f} s", highlight=False)


def _on_disk(folder: Path, name: str) -> int:
    """Bytes of the stores below `folder` whose own folder is named so."""
    stores = [path for path in folder.rglob(f"*{name}*") if path.is_dir()]
    return sum(file.stat().st_size for store in stores for file in store.rglob("*") if file.is_file())


async def run(size: Size, *, results: Path | None) -> None:
    """Measure, show the table, and write it to `results`."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="changecast-bench-"))
    broker = EmbeddedBroker(folder, port=0, heap="512m")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        servers = await broker.start()
        with answering("bench.streams.answers") as url, Progress(*columns, console=console, transient=True) as progress:
            measured = await Bench(size, servers, url, folder / "subjects", progress).run()
    finally:
        await broker.stop()
        shutil.rmtree(folder, ignore_errors=True)
    written("Streams", rows(measured), words(size.events), console, results)

"""What every measurement of the streams uses: the broker's topics, the subjects' processes, and a reader of what comes out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.progress import Progress, TaskID

from bench.processes import Subject, running
from bench.streams.measured import Passage
from bench.streams.preload import preload
from bench.streams.workload import PROVIDER
from runtime.kafka import Cluster
from schemas.event import ObservedEvent

_START_WITHIN_S = 600.0
_PASS_WITHIN_S = 1_800.0


class World:
    """`url`: of the provider. `folder` takes the subjects' own."""

    def __init__(self, servers: str, url: str, folder: Path, progress: Progress) -> None:
        self._servers = servers
        self._url = url
        self._folder = folder
        self._progress = progress

    def cluster(self, name: str) -> Cluster:
        """One with topics of its own."""
        return Cluster.at(self._servers, f"bench-{name}")

    def folder(self, cluster: Cluster) -> Path:
        return self._folder / cluster.topics.prefix

    def running(self, kind: str, cluster: Cluster) -> AbstractContextManager[Subject]:
        """`kind`: one of `subjects`."""
        folder = self.folder(cluster)
        arguments = (kind, cluster.bootstrap_servers, cluster.topics.prefix, str(folder), self._url)
        return running("bench.streams.subjects", *arguments, log=folder / "log")

    @contextmanager
    def step(self, text: str, total: int | None = None) -> Iterator[TaskID]:
        task = self._progress.add_task(text, total=total)
        began = time.monotonic()
        yield task
        self._progress.remove_task(task)
        if not self._progress.console.is_terminal:
            self._progress.console.print(f"{text}: {time.monotonic() - began:.0f} s", highlight=False)

    async def preload(self, cluster: Cluster, entities: int) -> None:
        with self.step(f"{entities} known: written to the changelog", entities) as task:
            await preload(cluster, entities, lambda done: self._progress.update(task, completed=done))

    async def write(self, cluster: Cluster, events: Iterable[tuple[int, ObservedEvent]], count: int) -> None:
        raw = cluster.topics.raw(PROVIDER).name
        with self.step("input written", count) as task:
            async with cluster.producer(max_batch_size=1 << 20, linger_ms=5) as producer:
                for number, event in events:
                    partition = number % cluster.topics.partitions
                    await producer.send(raw, event.to_json(), key=event.subject.encode(), partition=partition)
                    self._progress.advance(task)

    @asynccontextmanager
    async def reader(self, cluster: Cluster, *, seek_end: bool = False) -> AsyncIterator[AIOKafkaConsumer]:
        """A read_committed consumer of what comes out."""
        async with cluster.consumer(group_id=None) as consumer:
            tps = [TopicPartition(cluster.topics.changes(PROVIDER).name, number) for number in range(cluster.topics.partitions)]
            consumer.assign(tps)
            await (consumer.seek_to_end(*tps) if seek_end else consumer.seek_to_beginning(*tps))
            yield consumer

    async def end(self, cluster: Cluster) -> int:
        """The sum of the output's end offsets."""
        async with self.reader(cluster) as consumer:
            return sum((await consumer.end_offsets(consumer.assignment())).values())

    async def first_output(self, cluster: Cluster, subject: Subject, behind: int = 0) -> float:
        """Seconds until the sum of the output's end offsets is beyond `behind`."""
        began = time.perf_counter()
        async with self.reader(cluster) as consumer:
            while sum((await consumer.end_offsets(consumer.assignment())).values()) <= behind:
                if not subject.alive or time.perf_counter() - began > _START_WITHIN_S:
                    raise RuntimeError(f"no output; its log: {subject.last_words()}")
                await asyncio.sleep(0.1)
        return time.perf_counter() - began

    async def passage(self, cluster: Cluster, subject: Subject, events: int, expected: int) -> Passage:
        """Wait until the expected number has come out. The broker's own timestamps of the outputs tell how long it took."""
        times: list[int] = []
        used = subject.cpu_s()
        deadline = time.perf_counter() + _PASS_WITHIN_S
        async with self.reader(cluster) as consumer:
            while len(times) < expected:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    times += [record.timestamp for record in records]
                if not subject.alive or time.perf_counter() > deadline:
                    raise RuntimeError(f"{len(times)} of {expected} came out; its log: {subject.last_words()}")
            cpu = (subject.cpu_s() - used) / events
            return Passage(events / max((max(times) - min(times)) / 1000, 0.001), subject.resident(), cpu)

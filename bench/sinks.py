"""The sinks beside a bare aiohttp client: saturated at one endpoint and at ten, at an open loop, beside a slow neighbour; matching."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil
from rich.console import Console

from bench.sinks_events import PROVIDER, body, config, event_id, subject, subscription
from bench.sinks_matching import microseconds_an_event
from bench.sinks_report import written
from changecast.kafka import EmbeddedBroker
from changecast.leash import LEASH_VARIABLE
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from sinks.signing import webhook_id
from sinks.topics import every_topic

_ROOT = Path(__file__).parents[1]
_WITHIN_S = 300.0
_WARM = 300
"""Deliveries before the measurement: the first ones meet connections that are not there yet and code that has not run."""
_SLOW_S = 4
_EDGE = 0.05
"""Of the deliveries at the beginning and at the end are left out, when not all is under way yet, or not any more."""


@dataclass(frozen=True)
class Size:
    """`saturated`: deliveries in all for one pass. `rounds`: passes of ours and of the bare client in turn, of which the median counts."""

    saturated: int = 20_000
    rounds: int = 3
    rate: int = 300
    seconds: float = 20.0
    isolated_s: float = 30.0
    events: int = 4_000


FULL = Size()
SHORT = Size(saturated=2_000, rounds=1, seconds=4.0, isolated_s=6.0, events=400)


@dataclass(frozen=True)
class Pass:
    """`cpu_s`: seconds of processor time a delivery."""

    deliveries_s: float
    cpu_s: float


@dataclass(frozen=True)
class Against:
    """Passes in turn of ours and of the bare client to so many endpoints."""

    endpoints: int
    concurrency: int
    ours: list[Pass]
    bare: list[Pass]

    @property
    def ratio(self) -> float:
        return statistics.median(ours.deliveries_s / bare.deliveries_s for ours, bare in zip(self.ours, self.bare, strict=True))

    @property
    def cpu_ratio(self) -> float:
        return statistics.median(bare.cpu_s / ours.cpu_s for ours, bare in zip(self.ours, self.bare, strict=True))


@dataclass
class Measured:
    """Latencies in seconds, sorted, from the event's append in the changes topic to the receiver's clock."""

    saturated: list[Against] = field(default_factory=list)
    open_loop: list[float] = field(default_factory=list)
    relayed: list[float] = field(default_factory=list)
    isolated: list[float] = field(default_factory=list)
    matching: dict[int, float] = field(default_factory=dict)


class Receiver:
    """The process of `sinks_receiver.py`, asked over HTTP."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def count(self, name: str) -> int:
        return int(await self._get(f"{self.url}/{name}"))

    async def calls(self, name: str) -> dict[str, float]:
        """The first arrival of each webhook-id, in Unix seconds."""
        first: dict[str, float] = {}
        for identity, at in await self._get(f"{self.url}/{name}?calls"):
            first.setdefault(identity, at)
        return first

    async def _get(self, url: str) -> Any:
        async with self._session.get(url) as response:
            return orjson.loads(await response.read())


class Bench:
    def __init__(self, size: Size, servers: str, receiver: Receiver, folder: Path, say: Callable[[str], None]) -> None:
        self._size = size
        self._servers = servers
        self._receiver = receiver
        self._folder = folder
        self._say = say
        self._worlds = 0
        self.measured = Measured()

    async def run(self) -> Measured:
        for endpoints, concurrency in ((1, 64), (10, 8)):
            self.measured.saturated.append(await self._against(endpoints, concurrency))
        self.measured.relayed = await self._relayed()
        self.measured.open_loop = await self._open_loop()
        self.measured.isolated = await self._isolated()
        self.measured.matching = microseconds_an_event(self._size.events, 3 * self._size.rounds)
        self._say("matching measured")
        return self.measured

    async def _against(self, endpoints: int, concurrency: int) -> Against:
        against = Against(endpoints, concurrency, [], [])
        for number in range(self._size.rounds):
            against.bare.append(await self._bare(endpoints, concurrency, number))
            against.ours.append(await self._ours(endpoints, concurrency, number))
            self._say(
                f"{endpoints} endpoints: {against.ours[-1].deliveries_s:,.0f}/s, bare {against.bare[-1].deliveries_s:,.0f}/s"
            )
        return against

    async def _bare(self, endpoints: int, concurrency: int, number: int) -> Pass:
        names = [f"bare-{endpoints}-{number}-{index}" for index in range(endpoints)]
        count = self._size.saturated // endpoints
        settings = {
            "urls": [f"{self._receiver.url}/{name}" for name in names],
            "bodies": 1_000,
            "count": count,
            "concurrency": concurrency,
        }
        cluster = Cluster.at(self._servers, "bench-bare")
        with self._subject("bare", cluster, settings) as process:
            return await self._pass(process, names, count, 0)

    async def _ours(self, endpoints: int, concurrency: int, number: int) -> Pass:
        names = [f"ours-{endpoints}-{number}-{index}" for index in range(endpoints)]
        count, warm = self._size.saturated // endpoints, _WARM // endpoints
        cluster = await self._world()
        settings = config(*(subscription(name, f"{self._receiver.url}/{name}", concurrency) for name in names))
        with self._subject("worker", cluster, settings) as process:
            await self._warm(cluster, names, warm)
            writing = asyncio.create_task(self._write(cluster, range(warm, warm + count)))
            measured = await self._pass(process, names, warm + count, warm)
            await writing
            return measured

    async def _pass(self, process: psutil.Process, names: Sequence[str], count: int, behind: int) -> Pass:
        """Processor time is measured from when the first ones have come: a start costs some tenths of a second."""
        whole, deadline = count * len(names), time.monotonic() + _WITHIN_S
        marks: list[tuple[int, float]] = []
        while not marks or marks[-1][0] < whole:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{marks[-1][0]} of {whole} deliveries came; its log: {self._log()}")
            await asyncio.sleep(0.1)
            done = sum([await self._receiver.count(name) for name in names])
            if done > behind * len(names):
                marks.append((done, _cpu_s(process)))
        (first, before), (last, after) = marks[0], marks[-1]
        times: list[float] = []
        for name in names:
            times += sorted((await self._receiver.calls(name)).values())[behind:]
        times.sort()
        cut = int(len(times) * _EDGE)
        inner = times[cut : len(times) - cut]
        return Pass((len(inner) - 1) / (inner[-1] - inner[0]), (after - before) / max(last - first, 1))

    async def _relayed(self) -> list[float]:
        """What a bare consumer that posts takes here: the machine's own part of the latency."""
        name = "relay"
        cluster = await self._world()
        with self._subject("relay", cluster, {"url": f"{self._receiver.url}/{name}", "subscription": name}):
            return await self._latencies(cluster, name, self._size.seconds, waited_for=())

    async def _open_loop(self) -> list[float]:
        name = "open-loop"
        cluster = await self._world()
        with self._subject("worker", cluster, config(subscription(name, f"{self._receiver.url}/{name}", 8))):
            return await self._latencies(cluster, name, self._size.seconds)

    async def _isolated(self) -> list[float]:
        cluster = await self._world()
        fast = subscription("fast", f"{self._receiver.url}/fast", 8)
        slow = subscription("slow", f"{self._receiver.url}/slow?{_SLOW_S}", 100)
        with self._subject("worker", cluster, config(fast, slow)):
            return await self._latencies(cluster, "fast", self._size.isolated_s)

    async def _latencies(
        self, cluster: Cluster, name: str, seconds: float, waited_for: Sequence[str] | None = None
    ) -> list[float]:
        """At an open loop: the writer keeps its times however the worker does."""
        rate = self._size.rate
        await self._warm(cluster, [name] if waited_for is None else waited_for, _WARM)
        await self._arrived(name, _WARM)
        numbers = range(_WARM, _WARM + int(rate * seconds))
        await self._write(cluster, numbers, rate)
        await self._arrived(name, numbers.stop)
        calls = await self._receiver.calls(name)
        appended = {
            dict(record.headers)["ce_id"].decode(): record.timestamp / 1000
            async for record in read_to_end(cluster, cluster.topics.changes(PROVIDER).name)
        }
        found = sorted(calls[webhook_id(event_id(number), name)] - appended[event_id(number)] for number in numbers)
        self._say(f"{name}: p50 {found[len(found) // 2] * 1000:.1f} ms, p95 {found[int(len(found) * 0.95)] * 1000:.1f} ms")
        return found

    async def _warm(self, cluster: Cluster, names: Sequence[str], count: int) -> None:
        """The first events are sent once the worker knows its subscriptions: what is older is not theirs."""
        deadline = time.monotonic() + _WITHIN_S
        known: set[bytes] = set()
        while not {name.encode() for name in names} <= known:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the worker does not start; its log: {self._log()}")
            known = {record.key async for record in read_to_end(cluster, cluster.topics.endpoints.name) if record.key}
        await self._write(cluster, range(count), 1_000)
        for name in names:
            await self._arrived(name, count)

    async def _arrived(self, name: str, count: int) -> None:
        deadline = time.monotonic() + _WITHIN_S
        while (done := await self._receiver.count(name)) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{done} of {count} deliveries to {name} came; its log: {self._log()}")
            await asyncio.sleep(0.1)

    def _log(self) -> str:
        return "".join(path.read_text()[-2000:] for path in self._folder.glob("worker.log"))

    async def _write(self, cluster: Cluster, numbers: range, rate: float | None = None) -> None:
        """At `rate` events/s, or as fast as it goes."""
        topic = cluster.topics.changes(PROVIDER).name
        options = {} if rate else {"max_batch_size": 1 << 18, "linger_ms": 5}
        async with cluster.producer(**options) as producer:
            began = time.perf_counter()
            for index, number in enumerate(numbers):
                if rate and (ahead := began + index / rate - time.perf_counter()) > 0:
                    await asyncio.sleep(ahead)
                await producer.send(
                    topic, body(number), key=subject(number).encode(), headers=[("ce_id", event_id(number).encode())]
                )

    async def _world(self) -> Cluster:
        """Topics of their own. The changes carry the broker's time of their append."""
        self._worlds += 1
        cluster = Cluster.at(self._servers, f"bench-{self._worlds}")
        stamped = {"message.timestamp.type": "LogAppendTime"}
        topics = [
            dataclasses.replace(topic, configs={**topic.configs, **stamped}) if ".changes." in topic.name else topic
            for topic in every_topic(cluster.topics)
        ]
        await ensure_topics(cluster, topics)
        return cluster

    @contextmanager
    def _subject(self, kind: str, cluster: Cluster, settings: dict[str, Any]) -> Iterator[psutil.Process]:
        command = [sys.executable, "-m", "bench.sinks_subjects", kind, cluster.bootstrap_servers, cluster.topics.prefix]
        with (self._folder / f"{kind}.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, orjson.dumps(settings).decode()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=_ROOT,
                env={**os.environ, LEASH_VARIABLE: "1"},
            )
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()
            process.wait()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def _receiving() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.sinks_receiver"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=_ROOT, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


async def run(size: Size, *, results: Path | None) -> None:
    """Measure, show the table, and write its section of `results`."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="changecast-bench-"))
    broker = EmbeddedBroker(folder, port=0, heap="512m")
    try:
        servers = await broker.start()
        with _receiving() as url:
            async with aiohttp.ClientSession() as session:
                receiver = Receiver(url, session)
                bench = Bench(size, servers, receiver, folder, lambda text: console.print(text, highlight=False))
                measured = await bench.run()
    finally:
        await broker.stop()
        shutil.rmtree(folder, ignore_errors=True)
    written(measured, size, console, results)

"""What each measurement of the sinks stands on: topics of its own, events written into them, and the receiver's word on what came."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from bench.processes import Subject, running
from bench.sinks.events import PROVIDER, body, event_id, subject
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from sinks.topics import every_topic

WITHIN_S = 300.0
WARM = 300
"""Deliveries before the measurement: the first ones meet connections that are not there yet and code that has not run."""


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


class World:
    """One after the other on one broker. `say` is told what has been found so far."""

    def __init__(self, servers: str, receiver: Receiver, folder: Path, say: Callable[[str], None]) -> None:
        self.receiver = receiver
        self.say = say
        self._servers = servers
        self._folder = folder
        self._worlds = 0

    async def topics(self) -> Cluster:
        """Topics that nobody has used. The changes carry the broker's time of their append."""
        self._worlds += 1
        cluster = Cluster.at(self._servers, f"bench-{self._worlds}")
        stamped = {"message.timestamp.type": "LogAppendTime"}
        topics = [
            dataclasses.replace(topic, configs={**topic.configs, **stamped}) if ".changes." in topic.name else topic
            for topic in every_topic(cluster.topics)
        ]
        await ensure_topics(cluster, topics)
        return cluster

    def running(self, kind: str, cluster: Cluster | None, settings: dict[str, Any]) -> AbstractContextManager[Subject]:
        """One of `subjects`. Without a cluster: one that has nothing to do with Kafka."""
        prefix = cluster.topics.prefix if cluster is not None else ""
        arguments = (kind, self._servers, prefix, orjson.dumps(settings).decode())
        return running("bench.sinks.subjects", *arguments, log=self._folder / f"{kind}.log")

    async def warm(self, cluster: Cluster, process: Subject, names: Sequence[str], count: int) -> None:
        """The first events are sent once the worker knows its subscriptions: what is older is not theirs."""
        deadline = time.monotonic() + WITHIN_S
        known: set[bytes] = set()
        while not {name.encode() for name in names} <= known:
            if time.monotonic() > deadline or not process.alive:
                raise RuntimeError(f"the worker does not start; its log: {process.last_words()}")
            known = {record.key async for record in read_to_end(cluster, cluster.topics.endpoints.name) if record.key}
        await self.write(cluster, range(count), 1_000)
        for name in names:
            await self.arrived(process, name, count)

    async def arrived(self, process: Subject, name: str, count: int) -> None:
        deadline = time.monotonic() + WITHIN_S
        while (done := await self.receiver.count(name)) < count:
            if time.monotonic() > deadline or not process.alive:
                raise RuntimeError(f"{done} of {count} deliveries to {name} came; its log: {process.last_words()}")
            await asyncio.sleep(0.1)

    async def write(self, cluster: Cluster, numbers: range, rate: float | None = None) -> None:
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

"""How long a change takes from raw to published, at rates that the streams keep up with and at one that is much for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import count
from statistics import quantiles

from bench.streams.measured import Size
from bench.streams.workload import PROVIDER, Input
from bench.streams.world import World
from runtime.kafka import Cluster
from schemas.event import ObservedEvent

_STRAGGLERS_WITHIN_S = 30.0


async def latencies(world: World, size: Size) -> dict[int, tuple[float, float]]:
    """p50 and p99 in seconds, by events/s."""
    cluster = world.cluster("latency")
    entities = size.known[0]
    await world.preload(cluster, entities)
    events = map(Input(entities).fresh, count())
    await world.write(cluster, [next(events)], 1)
    found = {}
    with world.running("streams", cluster) as subject:
        await world.first_output(cluster, subject)
        for rate in size.rates:
            with world.step(f"raw to published at {rate}/s"):
                found[rate] = await _latency(world, cluster, events, rate, size.rate_s)
    return found


async def _latency(
    world: World, cluster: Cluster, events: Iterator[tuple[int, ObservedEvent]], rate: int, rate_s: float
) -> tuple[float, float]:
    """From `send` to a read_committed consumer's hands, at an open loop."""
    sent: dict[str, float] = {}
    took: list[float] = []
    number_of_events = int(rate * rate_s)
    deadline = time.perf_counter() + rate_s + _STRAGGLERS_WITHIN_S
    async with world.reader(cluster, seek_end=True) as consumer:
        writing = asyncio.create_task(_write(cluster, events, rate, number_of_events, sent))
        try:
            while len(took) < number_of_events and time.perf_counter() < deadline:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    now = time.perf_counter()
                    took += [now - sent[identity] for r in records if (identity := dict(r.headers)["ce_id"].decode()) in sent]
            await writing
        finally:
            writing.cancel()
    if len(took) < number_of_events:
        raise RuntimeError(f"{len(took)} of {number_of_events} events came out at {rate}/s")
    cuts = quantiles(took, n=100)
    return cuts[49], cuts[98]


async def _write(
    cluster: Cluster, events: Iterator[tuple[int, ObservedEvent]], rate: int, number_of_events: int, sent: dict[str, float]
) -> None:
    raw = cluster.topics.raw(PROVIDER).name
    async with cluster.producer() as producer:
        began = time.perf_counter()
        for index in range(number_of_events):
            await asyncio.sleep(max(0.0, began + index / rate - time.perf_counter()))
            number, event = next(events)
            sent[event.id] = time.perf_counter()
            await producer.send(raw, event.to_json(), key=event.subject.encode(), partition=number % cluster.topics.partitions)

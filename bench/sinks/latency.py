"""At an open loop: how long an event takes from its append to the receiver, alone and beside a slow neighbour."""

from __future__ import annotations

from collections.abc import Sequence

from bench.processes import Subject
from bench.sinks.events import PROVIDER, config, event_id, subscription
from bench.sinks.measured import Size
from bench.sinks.world import WARM, World
from runtime.kafka import Cluster
from runtime.topics import read_to_end
from sinks.signing import webhook_id

_SLOW_S = 4


class Latency:
    """Seconds, sorted."""

    def __init__(self, world: World, size: Size) -> None:
        self._world = world
        self._size = size

    async def relayed(self) -> list[float]:
        """What a bare consumer that posts takes here: the machine's own part of the latency."""
        name = "relay"
        cluster = await self._world.topics()
        with self._world.running(
            "relay", cluster, {"url": f"{self._world.receiver.url}/{name}", "subscription": name}
        ) as process:
            return await self._latencies(cluster, process, name, self._size.seconds, waited_for=())

    async def open_loop(self) -> list[float]:
        name = "open-loop"
        cluster = await self._world.topics()
        with self._world.running(
            "worker", cluster, config(subscription(name, f"{self._world.receiver.url}/{name}", 8))
        ) as process:
            return await self._latencies(cluster, process, name, self._size.seconds)

    async def isolated(self) -> list[float]:
        cluster = await self._world.topics()
        fast = subscription("fast", f"{self._world.receiver.url}/fast", 8)
        slow = subscription("slow", f"{self._world.receiver.url}/slow?{_SLOW_S}", 100)
        with self._world.running("worker", cluster, config(fast, slow)) as process:
            return await self._latencies(cluster, process, "fast", self._size.isolated_s)

    async def _latencies(
        self, cluster: Cluster, process: Subject, name: str, seconds: float, waited_for: Sequence[str] | None = None
    ) -> list[float]:
        """At an open loop: the writer keeps its times however the worker does."""
        rate = self._size.rate
        await self._world.warm(cluster, process, [name] if waited_for is None else waited_for, WARM)
        await self._world.arrived(process, name, WARM)
        numbers = range(WARM, WARM + int(rate * seconds))
        await self._world.write(cluster, numbers, rate)
        await self._world.arrived(process, name, numbers.stop)
        calls = await self._world.receiver.calls(name)
        appended = {
            dict(record.headers)["ce_id"].decode(): record.timestamp / 1000
            async for record in read_to_end(cluster, cluster.topics.changes(PROVIDER).name)
        }
        found = sorted(calls[webhook_id(event_id(number), name)] - appended[event_id(number)] for number in numbers)
        self._world.say(f"{name}: p50 {found[len(found) // 2] * 1000:.1f} ms, p95 {found[int(len(found) * 0.95)] * 1000:.1f} ms")
        return found

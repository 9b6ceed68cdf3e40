"""As fast as it goes: the sinks and a bare client take turns at one endpoint, or at several."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from bench.processes import Subject
from bench.sinks.events import config, subscription
from bench.sinks.measured import Against, Pass, Size
from bench.sinks.world import WARM, WITHIN_S, World

_EDGE = 0.05
"""Of the deliveries at the beginning and at the end are left out, when not all is under way yet, or not any more."""


class Saturated:
    def __init__(self, world: World, size: Size) -> None:
        self._world = world
        self._size = size

    async def against(self, endpoints: int, concurrency: int) -> Against:
        against = Against(endpoints, concurrency, [], [])
        for number in range(self._size.rounds):
            against.bare.append(await self._bare(endpoints, concurrency, number))
            against.ours.append(await self._ours(endpoints, concurrency, number))
            self._world.say(
                f"{endpoints} endpoints: {against.ours[-1].deliveries_s:,.0f}/s, bare {against.bare[-1].deliveries_s:,.0f}/s"
            )
        return against

    async def _bare(self, endpoints: int, concurrency: int, number: int) -> Pass:
        names = [f"bare-{endpoints}-{number}-{index}" for index in range(endpoints)]
        count = self._size.saturated // endpoints
        settings = {
            "urls": [f"{self._world.receiver.url}/{name}" for name in names],
            "bodies": 1_000,
            "count": count,
            "concurrency": concurrency,
        }
        with self._world.running("bare", None, settings) as process:
            return await self._pass(process, names, count, 0)

    async def _ours(self, endpoints: int, concurrency: int, number: int) -> Pass:
        names = [f"ours-{endpoints}-{number}-{index}" for index in range(endpoints)]
        count, warm = self._size.saturated // endpoints, WARM // endpoints
        cluster = await self._world.topics()
        settings = config(*(subscription(name, f"{self._world.receiver.url}/{name}", concurrency) for name in names))
        with self._world.running("worker", cluster, settings) as process:
            await self._world.warm(cluster, process, names, warm)
            writing = asyncio.create_task(self._world.write(cluster, range(warm, warm + count)))
            measured = await self._pass(process, names, warm + count, warm)
            await writing
            return measured

    async def _pass(self, process: Subject, names: Sequence[str], count: int, behind: int) -> Pass:
        """Processor time is measured from when the first ones have come: a start costs some tenths of a second."""
        whole, deadline = count * len(names), time.monotonic() + WITHIN_S
        marks: list[tuple[int, float]] = []
        while not marks or marks[-1][0] < whole:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{marks[-1][0]} of {whole} deliveries came; its log: {process.last_words()}")
            await asyncio.sleep(0.1)
            done = sum([await self._world.receiver.count(name) for name in names])
            if done > behind * len(names):
                marks.append((done, process.cpu_s()))
        (first, before), (last, after) = marks[0], marks[-1]
        times: list[float] = []
        for name in names:
            times += sorted((await self._world.receiver.calls(name)).values())[behind:]
        times.sort()
        cut = int(len(times) * _EDGE)
        inner = times[cut : len(times) - cut]
        return Pass((len(inner) - 1) / (inner[-1] - inner[0]), (after - before) / max(last - first, 1))

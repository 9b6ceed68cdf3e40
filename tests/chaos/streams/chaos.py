"""One run of the streams under chaos: a history of edits at the sandbox goes on while workers and broker are struck."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import orjson
from aiokafka import ConsumerRecord

from changecast.sandbox import Limits, Sandbox, sandbox_providers
from producers.interface import Fetched
from producers.registry import REGISTRY
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from runtime.topics import ensure_topics, read_to_end
from schemas.config import Config
from schemas.event import ChangeEvent
from streams.snapshots import State
from tests.chaos.command import Order
from tests.chaos.following import follow
from tests.chaos.plan import Kind, Odds
from tests.chaos.report import Row, faults_of, showing
from tests.chaos.stage import Stage
from tests.chaos.streams.history import History
from tests.chaos.streams.verdict import Verdict, judge
from tests.chaos.streams.writer import Writer
from tests.chaos.victims import Worker, disk_of

ODDS = Odds(kills={Kind.KILL_WORKER: 5, Kind.KILL_BROKER: 3, Kind.LOSE_DISK: 2}, workers=2, fewest_others=2)
PROVIDERS = ("tmdb", "pbs", "tvdb")
RATE = 5_000
"""Requests/s that each provider allows: the chaos is to come from the kills."""
SETTLE = {"tmdb": "1s", "pbs": "1s", "tvdb": "2s"}
START_WITHIN_S = 90.0
DRAIN_WITHIN_S = 240.0
TICK_S = 0.25
SECONDS_A_FAULT = 11.0


class Chaos:
    """One run."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._rate = order.size / max(SECONDS_A_FAULT * len(order.faults), 30.0)
        self._sandbox = Sandbox(seed=order.seed, limits=Limits(tmdb_per_second=RATE))
        self._published: set[str] = set()
        self._writers: dict[str, Writer] = {}
        self._verdict = Verdict()
        self.stage = Stage(order.folder, order.faults, lambda: len(self._published))

    async def run(self) -> Verdict:
        stage = self.stage
        async with self._sandbox:
            servers = await stage.broker.start()
            try:
                async with showing(self._order.console, stage, self._line):
                    self._verdict = await self._run(Cluster.at(servers, "chaos"))
                return self._verdict
            finally:
                stage.close()
                await stage.broker.stop()

    async def _run(self, cluster: Cluster) -> Verdict:
        stage, progress = self.stage, self.stage.progress
        await ensure_topics(
            cluster, [*cluster.topics.common(), *(t for name in PROVIDERS for t in cluster.topics.of_provider(name))]
        )
        self._writers = {name: Writer(cluster, name, self._order.seed) for name in PROVIDERS}
        config = self._make_workers(cluster)
        history = History(self._sandbox, self._order.seed)
        baselines = await self._states(history, config)
        for worker in stage.workers:
            worker.start()
        changes = [cluster.topics.changes(name).name for name in PROVIDERS]
        watching = asyncio.create_task(follow(cluster, changes, self._take, stage.keep_alive))
        try:
            await self._write(history.first_touch())
            await stage.until(self._all_published, START_WITHIN_S, "the baselines")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._edit(history))
                group.create_task(stage.strike())
            await self._write(history.last_touch())
            progress.doing = "draining"
            # what is still to come, and what came too often, must have time to show itself
            with suppress(TimeoutError):
                await stage.until(self._all_published, DRAIN_WITHIN_S, "the last events")
            await asyncio.sleep(3)
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            for writer in self._writers.values():
                await writer.close()
        progress.doing = "judging"
        return await self._judged(cluster, baselines, await self._states(history, config))

    def _all_published(self) -> bool:
        return len(self._published) >= self.stage.progress.written

    def _make_workers(self, cluster: Cluster) -> Config:
        """A config for each worker, which has a disk of its own."""
        providers = sandbox_providers(self._sandbox.url)
        for name, settings in providers.items():
            settings |= {"rate": RATE, "settle": SETTLE[name]}
        document: dict[str, Any] = {
            "kafka": {"bootstrap_servers": cluster.bootstrap_servers, "topic_prefix": "chaos"},
            "providers": providers,
        }
        for number in range(ODDS.workers):
            folder = self._order.folder
            config = orjson.dumps({**document, "data_dir": str(disk_of(folder, number))})  # YAML holds JSON
            self.stage.workers.append(Worker("streams", number, folder, config))
        return Config.model_validate(document)

    async def _states(self, history: History, config: Config) -> dict[str, State]:
        """What the providers' own fetch reads now, of all entities that can be read."""
        states = {}
        settings = config.providers.configured()
        providers = {name: REGISTRY[name](settings[name], RateLimit(RATE)) for name in ("pbs", "tvdb")}
        for entity in history.entities():
            name = "tvdb" if entity.native_type == "series" else "pbs"
            answer = await providers[name].fetch(entity)
            if isinstance(answer, Fetched):
                states[f"{name}:{entity.type}:{entity.id}"] = State.of(answer)
        for provider in providers.values():
            await provider.aclose()
        return states

    async def _write(self, events: dict[str, list]) -> None:
        for provider, of_provider in events.items():
            self.stage.progress.written += await self._writers[provider].write(of_provider)

    async def _edit(self, history: History) -> None:
        """Edits at a steady rate until there are enough, and for as long as faults come."""
        began, made = time.monotonic(), 0
        while made < self._order.size or not self.stage.faults_over.is_set():
            due = int((time.monotonic() - began) * self._rate) - made
            pages: dict[str, list] = {name: [] for name in PROVIDERS}
            for _ in range(max(due, 0)):
                if sum(map(len, pages.values())) >= min(due, 200):
                    break
                provider, events = history.edit()
                pages[provider] += events
            before = self.stage.progress.written
            await self._write({name: page for name, page in pages.items() if page})
            made += self.stage.progress.written - before
            await asyncio.sleep(TICK_S)

    def _take(self, record: ConsumerRecord) -> None:
        self._published.add(dict(record.headers)["ce_id"].decode())

    async def _judged(self, cluster: Cluster, baselines: dict[str, State], last: dict[str, State]) -> Verdict:
        reported = {subject: ids for writer in self._writers.values() for subject, ids in writer.order.items()}
        events, left = [], []
        for name in PROVIDERS:
            async for record in read_to_end(cluster, cluster.topics.changes(name).name):
                events.append(ChangeEvent.model_validate_json(record.value))
            waiting: dict[bytes, int] = {}
            async for record in read_to_end(cluster, cluster.topics.deferred(name).name):
                if record.value is None:
                    waiting.pop(record.key, None)
                else:
                    waiting[record.key] = record.offset
            left += [f"{key.decode()} is still deferred" for key in waiting]
        async for record in read_to_end(cluster, cluster.topics.dead.name):
            left.append(f"{dict(record.headers)} is dead")
        verdict = judge(reported, events, baselines, last)
        verdict.left = left
        return verdict

    def _line(self) -> str:
        return f"{self.stage.progress.written:,} reported, {len(self._published):,} published"

    def rows(self) -> list[Row]:
        verdict, writers = self._verdict, self._writers.values()
        return [
            ("edits reported, once each", f"{self.stage.progress.written:,}"),
            ("reported again", f"{sum(writer.repeats for writer in writers):,}"),
            ("pages aborted and written anew", f"{sum(writer.aborted for writer in writers):,}"),
            *faults_of(self.stage),
            ("statuses", ", ".join(f"{count:,} {status}" for status, count in verdict.statuses.most_common())),
            (
                "entities followed from baseline to last state",
                f"{verdict.states} whole, {verdict.chained - verdict.states} in part",
            ),
        ]

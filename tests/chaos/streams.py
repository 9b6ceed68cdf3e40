"""The streams under chaos: `python -m tests.chaos.streams --kills 50 [--edits 50000] [--seed 1]`.

A history of edits at the sandbox goes on while two streams workers and the broker are killed, stopped past their session and robbed of
their disks. Afterwards a read_committed consumer must find each edit exactly once, in order per entity, and the changes of each entity
of PBS and TheTVDB must lead from its baseline to its last state. Exit code 1 when anything else is found.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.live import Live
from rich.table import Table

from changecast.sandbox import Limits, Sandbox, sandbox_providers
from producers.interface import Fetched
from producers.registry import REGISTRY
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from runtime.topics import ensure_topics, read_to_end
from schemas.config import Config
from schemas.event import ChangeEvent
from streams.snapshots import State
from tests.chaos.history import History
from tests.chaos.plan import WORKERS, Fault, Kind, plan
from tests.chaos.verdict import Verdict, judge
from tests.chaos.victims import Broker, Worker
from tests.chaos.writer import Writer

PROVIDERS = ("tmdb", "pbs", "tvdb")
RATE = 5_000
"""Requests/s that each provider allows: the chaos is to come from the kills."""
SETTLE = {"tmdb": "1s", "pbs": "1s", "tvdb": "2s"}
START_WITHIN_S = 90.0
RECOVER_WITHIN_S = 120.0
"""After a fault, until events are published again. Longer than the watchdog needs to end a worker that stands still."""
DRAIN_WITHIN_S = 240.0
PROGRESS = 100
"""Events published after a fault before it counts as got over."""
TICK_S = 0.25
SECONDS_A_FAULT = 11.0


@dataclass
class Progress:
    """What the line shows, and what the faults wait for."""

    published: set[str] = field(default_factory=set)
    written: int = 0
    faults: Counter[Kind] = field(default_factory=Counter)
    doing: str = "starting"
    slowest_recovery_s: float = 0.0
    slowest_stop_s: float = 0.0
    problems: list[str] = field(default_factory=list)


class Chaos:
    """One run. `folder` holds the broker, the workers' disks and logs."""

    def __init__(self, folder: Path, edits: int, faults: list[Fault], seed: int, console: Console) -> None:
        self._folder = folder
        self._edits = edits
        self._faults = faults
        self._seed = seed
        self._console = console
        self._began = time.monotonic()
        self._rate = edits / max(SECONDS_A_FAULT * len(faults), 30.0)
        self._sandbox = Sandbox(seed=seed, limits=Limits(tmdb_per_second=RATE))
        self._broker = Broker(folder)
        self._workers: list[Worker] = []
        self._writers: dict[str, Writer] = {}
        self._faults_over = asyncio.Event()
        self.progress = Progress()

    async def run(self) -> Verdict:
        async with self._sandbox:
            servers = await self._broker.start()
            try:
                return await self._run(Cluster.at(servers, "chaos"))
            finally:
                for worker in self._workers:
                    worker.resume()
                    worker.kill()
                await self._broker.stop()

    async def _run(self, cluster: Cluster) -> Verdict:
        await ensure_topics(
            cluster, [*cluster.topics.common(), *(t for name in PROVIDERS for t in cluster.topics.of_provider(name))]
        )
        self._writers = {name: Writer(cluster, name, self._seed) for name in PROVIDERS}
        config = self._write_config(cluster)
        history = History(self._sandbox, self._seed)
        baselines = await self._states(history, config)
        for worker in self._workers:
            worker.start()
        watching = asyncio.create_task(self._watch(cluster))
        showing = asyncio.create_task(self._show())
        try:
            await self._write(history.first_touch())
            await self._until(lambda: len(self.progress.published) >= self.progress.written, START_WITHIN_S, "the baselines")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._edit(history))
                group.create_task(self._strike())
            await self._write(history.last_touch())
            self.progress.doing = "draining"
            # what is still to come, and what came too often, must have time to show itself
            with suppress(TimeoutError):
                await self._until(
                    lambda: len(self.progress.published) >= self.progress.written, DRAIN_WITHIN_S, "the last events"
                )
            await asyncio.sleep(3)
        finally:
            watching.cancel()
            showing.cancel()
            await asyncio.wait([watching, showing])
            for writer in self._writers.values():
                await writer.close()
        self.progress.doing = "judging"
        return await self._judged(cluster, baselines, await self._states(history, config))

    def _write_config(self, cluster: Cluster) -> Config:
        """A config for each worker, which has a disk of its own."""
        providers = sandbox_providers(self._sandbox.url)
        for name, settings in providers.items():
            settings |= {"rate": RATE, "settle": SETTLE[name]}
        kafka = {"bootstrap_servers": cluster.bootstrap_servers, "topic_prefix": "chaos"}
        for number in range(WORKERS):
            disk = self._folder / f"worker{number}"
            document = {"data_dir": str(disk), "kafka": kafka, "providers": providers}
            path = self._folder / f"worker{number}.yaml"
            path.write_bytes(orjson.dumps(document))  # YAML holds JSON
            self._workers.append(Worker(f"worker {number}", path, disk, self._folder / f"worker{number}.log"))
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
            self.progress.written += await self._writers[provider].write(of_provider)

    async def _edit(self, history: History) -> None:
        """Edits at a steady rate until there are enough, and for as long as faults come."""
        began, made = time.monotonic(), 0
        while made < self._edits or not self._faults_over.is_set():
            due = int((time.monotonic() - began) * self._rate) - made
            pages: dict[str, list] = {name: [] for name in PROVIDERS}
            for _ in range(max(due, 0)):
                if sum(map(len, pages.values())) >= min(due, 200):
                    break
                provider, events = history.edit()
                pages[provider] += events
            before = self.progress.written
            await self._write({name: page for name, page in pages.items() if page})
            made += self.progress.written - before
            await asyncio.sleep(TICK_S)

    async def _strike(self) -> None:
        for number, fault in enumerate(self._faults, 1):
            await asyncio.sleep(fault.after)
            self.progress.doing = f"{number} of {len(self._faults)}: {fault.kind}"
            self.progress.faults[fault.kind] += 1
            self._note(f"fault {number}: {fault.kind} (worker {fault.worker})")
            struck, before = time.monotonic(), len(self.progress.published)
            await self._suffer(fault)
            if not fault.at_once:
                await self._until(partial(self._published, before + PROGRESS), RECOVER_WITHIN_S, f"after {fault.kind}")
                self.progress.slowest_recovery_s = max(self.progress.slowest_recovery_s, time.monotonic() - struck - fault.lasts)
        self._faults_over.set()

    def _published(self, count: int) -> bool:
        return len(self.progress.published) >= count

    async def _suffer(self, fault: Fault) -> None:
        worker = self._workers[fault.worker]
        if fault.kind is Kind.KILL_BROKER:
            await self._broker.kill_and_restart()
            return
        if fault.kind is Kind.PAUSE_WORKER:
            worker.pause()
            await asyncio.sleep(fault.lasts)
            worker.resume()
            return
        if fault.kind is Kind.STOP_WORKER:
            began = time.monotonic()
            try:
                await worker.stop()
            except subprocess.TimeoutExpired:
                self.progress.problems.append(f"{worker.name} did not stop within 40 s")
                worker.kill()
            self.progress.slowest_stop_s = max(self.progress.slowest_stop_s, time.monotonic() - began)
        else:
            worker.kill()
        if fault.kind is Kind.LOSE_DISK:
            worker.lose_disk()
        await asyncio.sleep(fault.lasts)
        worker.start()

    async def _until(self, condition, within: float, what: str) -> None:
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                self.progress.problems.append(f"{what}: nothing more within {within:.0f} s")
                raise TimeoutError(f"{what}: not within {within:.0f} s")
            await asyncio.sleep(0.1)

    async def _watch(self, cluster: Cluster) -> None:
        """Follows what is published, and starts workers again that have ended by themselves."""
        topics = [cluster.topics.changes(name).name for name in PROVIDERS]
        consumer: AIOKafkaConsumer | None = None
        try:
            while True:
                for worker in self._workers:
                    worker.keep_alive()
                try:
                    if consumer is None:
                        consumer = cluster.consumer(*topics, group_id=None)
                        await consumer.start()
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        self.progress.published |= {dict(record.headers)["ce_id"].decode() for record in records}
                except (KafkaError, OSError):
                    consumer = None
                    await asyncio.sleep(0.5)
        finally:
            if consumer is not None:
                await consumer.stop()

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

    def _note(self, text: str) -> None:
        with (self._folder / "faults.log").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}\n")

    async def _show(self) -> None:
        with Live(console=self._console, refresh_per_second=2, transient=True) as live:
            told = 0.0
            while True:
                line = self._line()
                live.update(line)
                if not self._console.is_terminal and time.monotonic() - told > 10:
                    told = time.monotonic()
                    self._console.print(line, highlight=False)
                await asyncio.sleep(0.5)

    def _line(self) -> str:
        progress = self.progress
        elapsed = timedelta(seconds=int(time.monotonic() - self._began))
        return f"{elapsed}  {progress.written:,} reported, {len(progress.published):,} published  {progress.doing}"

    def report(self, verdict: Verdict) -> None:
        progress = self.progress
        table = Table(title=f"Streams under chaos, seed {self._seed}", show_header=False)
        writers = self._writers.values()
        rows = [
            ("edits reported, once each", f"{progress.written:,}"),
            ("reported again", f"{sum(writer.repeats for writer in writers):,}"),
            ("pages aborted and written anew", f"{sum(writer.aborted for writer in writers):,}"),
            *((kind.value, str(progress.faults[kind])) for kind in Kind),
            *(
                (f"{worker.name} ended by itself (exit {code})", str(count))
                for worker in self._workers
                for code, count in sorted(worker.ended_itself.items())
            ),
            ("slowest recovery", f"{progress.slowest_recovery_s:.0f} s"),
            ("slowest orderly stop", f"{progress.slowest_stop_s:.0f} s"),
            ("seconds", f"{time.monotonic() - self._began:.0f}"),
            ("statuses", ", ".join(f"{count:,} {status}" for status, count in verdict.statuses.most_common())),
            (
                "entities followed from baseline to last state",
                f"{verdict.states} whole, {verdict.chained - verdict.states} in part",
            ),
            *((name, str(len(found))) for name, found in verdict.told().items()),
        ]
        for row in rows:
            table.add_row(*row)
        self._console.print(table)
        for name, found in verdict.told().items():
            for line in found[:20]:
                self._console.print(f"{name}: {line}", highlight=False, markup=False)
        for problem in progress.problems:
            self._console.print(f"problem: {problem}", highlight=False, markup=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.streams", description="The streams under chaos.")
    parser.add_argument(
        "--kills", type=int, default=50, help="kill -9 of workers and broker; a third as many other faults come on top"
    )
    parser.add_argument("--edits", type=int, help="edits reported at least [default: a thousand for each kill]")
    parser.add_argument("--seed", type=int, help="draws plan and history; the same seed draws the same plan")
    parser.add_argument("--keep", type=Path, help="keep broker, disks and logs in this folder")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(100_000)
    faults = plan(options.kills, seed)
    edits = options.edits or 1_000 * options.kills
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # each kill of the broker makes hundreds of lines
    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(f"{edits:,} edits, {len(faults)} faults, {options.kills} of them kill -9; seed {seed}", highlight=False)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="changecast-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    chaos = Chaos(folder, edits, faults, seed, console)
    verdict = asyncio.run(chaos.run())
    chaos.report(verdict)
    good = verdict.good and not chaos.progress.problems
    if good and not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    elif not good:
        console.print(f"broker, disks and logs: {folder}", highlight=False)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""The streams as processes that are killed, on a real Kafka: each event once, in order per entity."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from tests.streams import memory
from tests.streams.memory import PROVIDER, observed

ENTITIES = 40


class Worker:
    """A streams worker as a process of its own."""

    def __init__(self, servers: str, prefix: str, data_dir: Path, stuck: Path | None = None) -> None:
        self._command = [sys.executable, memory.__file__, servers, prefix, str(data_dir), *([str(stuck)] if stuck else [])]
        self._log = data_dir.parent / f"{data_dir.name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        root = Path(__file__).parents[2]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdout=log, stderr=log, cwd=root, env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"}
            )

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def keep_alive(self) -> None:
        """A batch that failed has ended the process: start it again, as the supervisor would."""
        if self._process is not None and self._process.returncode is not None:
            await self.start()


@contextmanager
def killed_at_the_end(*workers: Worker):
    try:
        yield
    finally:
        for worker in workers:
            if worker._process is not None and worker._process.returncode is None:
                worker._process.kill()


async def prepared(servers: str, prefix: str) -> Cluster:
    cluster = Cluster.at(servers, prefix)
    await ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider(PROVIDER)])
    return cluster


async def write(cluster: Cluster, events) -> None:
    async with cluster.producer() as producer:
        for event in events:
            await producer.send(cluster.topics.raw(PROVIDER).name, event.to_json(), key=event.subject.encode())


class Published:
    """What a subscriber sees in changecast.changes.*, which reads committed records only."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        self.edits: dict[bytes, list[int]] = defaultdict(list)

    async def read(self, consumer, until, within: float, between=None) -> None:
        deadline = time.monotonic() + within
        while not until():
            assert time.monotonic() < deadline, f"{len(self.ids)} events within {within} s"
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    identity = dict(record.headers)["ce_id"].decode()
                    self.ids[identity] += 1
                    self.edits[record.key].append(int(identity.rsplit(":", 1)[1]))
            if between is not None:
                await between()


@pytest.mark.timeout(180)
async def test_workers_killed_and_with_lost_disks_publish_each_event_once_in_order(bootstrap_servers, topic_prefix, tmp_path):
    cluster = await prepared(bootstrap_servers, topic_prefix)
    count = 8_000
    worker = Worker(bootstrap_servers, topic_prefix, tmp_path / "w0")
    kills = iter([tmp_path / "w0", tmp_path / "w0", tmp_path / "fresh-disk"])
    marks = iter([1_000, 3_000, 5_000])
    published = Published()
    next_mark = next(marks)

    async def kill_at_marks() -> None:
        nonlocal next_mark, worker
        await worker.keep_alive()
        if len(published.ids) >= next_mark:
            await worker.kill()
            worker = Worker(bootstrap_servers, topic_prefix, next(kills))
            await worker.start()
            next_mark = next(marks, count + 1)

    events = [observed(str(edit % ENTITIES), edit) for edit in range(count)]
    repeated = [event for pair in zip(events, [events[0], *events[:-1]], strict=True) for event in pair]
    async with cluster.consumer(cluster.topics.changes(PROVIDER).name) as consumer:
        await worker.start()
        writing = asyncio.create_task(write(cluster, repeated))
        try:
            await published.read(consumer, lambda: len(published.ids) == count, within=150, between=kill_at_marks)
            await writing
        finally:
            await worker.kill()
    assert next_mark == count + 1, "all three kills took place"
    assert [identity for identity, times in published.ids.items() if times > 1] == []
    assert all(edits == sorted(edits) for edits in published.edits.values())


@pytest.mark.timeout(120)
async def test_a_stuck_entity_is_deferred_over_a_kill_and_published_once_when_it_is_answered(
    bootstrap_servers, topic_prefix, tmp_path
):
    cluster = await prepared(bootstrap_servers, topic_prefix)
    stuck = tmp_path / "stuck"
    stuck.write_text("7")
    worker = Worker(bootstrap_servers, topic_prefix, tmp_path / "w0", stuck)
    events = [observed(str(edit % ENTITIES), edit) for edit in range(400)]
    published = Published()
    with killed_at_the_end(worker):
        async with cluster.consumer(cluster.topics.changes(PROVIDER).name) as consumer:
            await worker.start()
            await write(cluster, events)
            await published.read(consumer, lambda: len(published.ids) == 390, within=60)
            assert not any(identity.startswith("tmdb:movie:7:") for identity in published.ids)
            await worker.kill()
            await worker.start()
            stuck.write_text("")
            await published.read(consumer, lambda: len(published.ids) == 400, within=60, between=worker.keep_alive)
    assert set(published.ids.values()) == {1}
    assert published.edits[b"tmdb:movie:7"] == sorted(published.edits[b"tmdb:movie:7"])

"""Workers that come and go while events pour in."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError

from runtime.kafka import Cluster
from tests.streams.memory import observed
from tests.streams.test_exactly_once import PROVIDER, Published, Worker, killed_at_the_end, prepared

ENTITIES = 60
EVENTS_S = 200
WITHIN_S = 60.0


class Load:
    """Edits at a steady rate, each reported twice, until it is told to end."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._over = False
        self.edits = 0

    async def run(self) -> None:
        topic = self._cluster.topics.raw(PROVIDER).name
        began = time.monotonic()
        async with self._cluster.producer() as producer:
            while not self._over:
                while self.edits < (time.monotonic() - began) * EVENTS_S:
                    for edit in (self.edits, max(self.edits - ENTITIES, 0)):
                        event = observed(str(edit % ENTITIES), edit)
                        await producer.send(topic, event.to_json(), key=event.subject.encode())
                    self.edits += 1
                await asyncio.sleep(0.02)

    def end(self) -> None:
        self._over = True


async def members(cluster: Cluster, prefix: str) -> int:
    """How many workers share the partitions; 0 while they are being shared out."""
    async with cluster.admin() as admin:
        try:
            (response,) = await admin.describe_consumer_groups([f"{prefix}-streams"])
        except GroupCoordinatorNotAvailableError:  # no group has been on this broker yet
            return 0
        _, _, state, _, _, found, *_ = response.groups[0]
    return len(found) if state == "Stable" else 0


@pytest.mark.timeout(240)
async def test_one_worker_then_three_then_two_publish_each_event_once_in_order(bootstrap_servers, topic_prefix, tmp_path):
    cluster = await prepared(bootstrap_servers, topic_prefix)
    workers = [Worker(bootstrap_servers, topic_prefix, tmp_path / f"w{number}") for number in range(3)]
    published, load = Published(), Load(cluster)
    shared_by: list[int] = []
    stopped: list[Worker] = []

    async def until_shared_by(count: int, consumer) -> None:
        async def look() -> None:
            for worker in workers:
                if worker not in stopped:
                    await worker.keep_alive()
            shared_by[:] = [await members(cluster, topic_prefix)]

        shared_by.clear()
        await published.read(consumer, lambda: shared_by == [count], within=WITHIN_S, between=look)
        # and goes on from there
        reached = len(published.ids) + EVENTS_S
        await published.read(consumer, lambda: len(published.ids) >= reached, within=WITHIN_S, between=look)

    with killed_at_the_end(*workers):
        async with cluster.consumer(cluster.topics.changes(PROVIDER).name) as consumer:
            loading = asyncio.create_task(load.run())
            await workers[0].start()
            await until_shared_by(1, consumer)
            for worker in workers[1:]:
                await worker.start()
            await until_shared_by(3, consumer)
            stopped.append(workers[0])
            workers[0]._process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(workers[0]._process.wait(), 20)
            await until_shared_by(2, consumer)
            load.end()
            await loading
            await published.read(consumer, lambda: len(published.ids) == load.edits, within=WITHIN_S)
    assert [identity for identity, times in published.ids.items() if times > 1] == []
    assert all(edits == sorted(edits) for edits in published.edits.values())

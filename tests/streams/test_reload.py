"""A streams worker as a process that is told by SIGHUP to read its config again: Faust, its lanes and its stores start anew in it."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

import orjson
import pytest

from changecast.sandbox import Sandbox
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from tests.eventually import until
from tests.producers.worlds import PROVIDERS, changecast, config_for, counted, now, read_past, working, write_config

FEEDS = 4
SETTINGS = {"settle": "0s", "rate": 200}


async def published(cluster: Cluster) -> Counter[str]:
    """The ids in `changecast.changes.*`, as a subscriber sees them."""
    topics = [cluster.topics.changes(provider).name for provider in PROVIDERS]
    return Counter([orjson.loads(record.value)["id"] for topic in topics async for record in read_to_end(cluster, topic)])


async def reported(cluster: Cluster) -> set[str]:
    return {event_id for provider in PROVIDERS for event_id in await counted(cluster, provider)}


@pytest.mark.timeout(240)
async def test_each_change_comes_out_once_over_reloads_of_the_streams(bootstrap_servers, topic_prefix, tmp_path):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    await ensure_topics(
        cluster, [*cluster.topics.common(), *(topic for name in PROVIDERS for topic in cluster.topics.of_provider(name))]
    )
    async with Sandbox() as sandbox:
        config = config_for(sandbox.url, cluster, **SETTINGS)
        path = write_config(tmp_path / "changecast.yaml", config)

        async def keep_editing():
            while True:
                sandbox.catalogue.edit()
                await asyncio.sleep(0.2)

        async with working(config, cluster), changecast("worker", "streams", "-c", str(path)) as worker:
            editing = asyncio.create_task(keep_editing())
            await until(lambda: published(cluster), 90, "the first changes")
            for number in (1, 2):
                # another budget for a batch: the streams alone act on it
                write_config(path, config_for(sandbox.url, cluster, **SETTINGS, batch_budget=f"{number + 2}s"))
                worker.process.send_signal(signal.SIGHUP)
                await until(worker.said("imported, configured, and connected", number + 1), 60)
                at_the_start = (await published(cluster)).total()
                await until(lambda count=at_the_start: more_than(cluster, count), 60, "changes after the reload")
            editing.cancel()
            await asyncio.wait([editing])
            ended = now()
            await until(lambda: read_past(cluster, ended, FEEDS), 60, "the last edits read")
            wanted = await reported(cluster)

            async def all_published():
                return set(await published(cluster)) >= wanted

            await until(all_published, 90, "all that was reported")
            assert not any("starts anew all the same" in line for line in worker.lines), "each end was in order"
            worker.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(worker.process.wait(), 25) == 0
        told = await published(cluster)
        assert {event_id: count for event_id, count in told.items() if count > 1} == {}
        assert set(told) >= wanted


async def more_than(cluster: Cluster, count: int) -> bool:
    return (await published(cluster)).total() > count

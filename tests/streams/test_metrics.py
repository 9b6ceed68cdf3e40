"""What a partition that has stopped tells of itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from streams.app import StreamsApp
from streams.deadlimit import DeadCount, DeadLimit
from streams.metrics import StreamsMetrics
from streams.place import Place
from streams.reading import EntityReader, Patience
from tests.streams.memory import PROVIDER, MemoryProvider, observed


async def test_a_partition_that_has_stopped_says_so_and_what_waits_there(bootstrap_servers, topic_prefix, tmp_path):
    cluster = Cluster.at(bootstrap_servers, topic_prefix, partitions=1)
    await ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider(PROVIDER)])
    metrics = StreamsMetrics()
    assert metrics.waits_for() == "Kafka"
    app = StreamsApp(cluster, tmp_path, [PROVIDER])
    provider = MemoryProvider()
    reader = EntityReader(provider, Patience(settle=timedelta(0)))
    app.places[PROVIDER] = Place(
        provider, reader, cluster, app.seen[PROVIDER], app.snapshots[PROVIDER], timedelta(days=30),
        dead=DeadCount(DeadLimit(consecutive=5)),
    )  # fmt: skip
    metrics.app = app
    await app.start()
    try:
        async with asyncio.timeout(60):
            async with cluster.producer() as producer:
                topic = cluster.topics.raw(PROVIDER).name
                for edit in range(3):
                    await producer.send_and_wait(topic, observed("1", edit).to_json())
                while (await values(metrics)).get("changecast_streams_published_total") != 3:
                    await asyncio.sleep(0.1)
                assert metrics.waits_for() is None
                assert (await values(metrics))["changecast_streams_stopped"] == 0
                for _ in range(6):
                    await producer.send(topic, b"not an event")
                await producer.flush()
                while not (await values(metrics))["changecast_streams_stopped"]:
                    await asyncio.sleep(0.1)
                for edit in range(3, 5):
                    await producer.send_and_wait(topic, observed("1", edit).to_json())
            # some of them may have gone to the dead topic before the limit was reached
            waiting = 8 - (await values(metrics))["changecast_streams_dead_total"]
            assert waiting > 3
            while (await values(metrics))["changecast_streams_lag_records"] != waiting:
                await asyncio.sleep(0.1)
        told = await values(metrics)
    finally:
        await app.stop()
    assert told["changecast_streams_published_total"] == 3


async def values(metrics: StreamsMetrics) -> dict[str, float]:
    """Sums over all labels."""
    found: dict[str, float] = {}
    for family in (await metrics.read()).families():
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found

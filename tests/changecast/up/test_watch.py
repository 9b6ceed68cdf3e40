"""The live view's reader on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from changecast.up.view import Row
from changecast.up.watch import Watcher
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from tests.eventually import until
from tests.sinks.worlds import World, change_event


@asynccontextmanager
async def watching(watcher: Watcher) -> AsyncIterator[None]:
    await watcher.start()
    task = asyncio.create_task(watcher.run(lambda _: None))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await watcher.stop()


async def test_a_provider_that_comes_later_is_shown_from_then_on_and_the_others_go_on_where_they_are(
    bootstrap_servers: str, topic_prefix: str
) -> None:
    world = World(bootstrap_servers, topic_prefix)
    cluster: Cluster = world.cluster
    await ensure_topics(
        cluster, [*cluster.topics.common(), *cluster.topics.of_provider("tmdb"), *cluster.topics.of_provider("pbs")]
    )
    rows: list[Row] = []
    watcher = Watcher(cluster, ["tmdb"], rows.append)

    def names() -> list[str]:
        return sorted(row.name for row in rows)

    async def publish(name: str, provider: str) -> None:
        await world.publish(change_event(provider=provider, entity="movie", name=name, parents=[]), provider=provider)

    await publish("before the start", "tmdb")
    async with watching(watcher):
        await publish("first", "tmdb")
        await publish("before it was added", "pbs")
        await until(lambda: names() == ["first"])

        await watcher.add(["tmdb", "pbs"])
        await publish("second", "tmdb")
        await publish("third", "pbs")
        await until(lambda: names() == ["first", "second", "third"])

        await watcher.add(["tmdb", "pbs"])
        await publish("fourth", "pbs")
        await until(lambda: names() == ["first", "fourth", "second", "third"])

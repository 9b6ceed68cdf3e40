"""One provider in trouble changes nothing for the others, and goes on by itself when the trouble is over."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiokafka import TopicPartition

from changecast.sandbox import Limits, Sandbox
from producers.resync import publish, resync_event
from runtime.http import CredentialsRejected
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from schemas.event import ChangeEvent, Entity
from tests.eventually import until
from tests.producers.troubles import MAX_BODY_BYTES, NOWHERE, TROUBLES
from tests.producers.worlds import PROVIDERS, changecast, config_for, cursors, now, working, write_config

KEEPS_UP_S = 10.0
"""The feeds are polled once a second here; a loaded machine needs some of the rest."""
PUBLISHED_WITHIN_S = 40.0
COMES_BACK_WITHIN_S = 150.0
"""The pauses between tries have grown to a minute by then."""
MOVIE = Entity(type="movie", native_type="movie", id="550")
LIMITS = {"timeout": "3s", "max_body_bytes": MAX_BODY_BYTES}
TURNS = {name: trouble for name, trouble in TROUBLES.items() if trouble.means is not CredentialsRejected}
"""A refused key is tried again only after minutes."""


@asynccontextmanager
async def published(cluster: Cluster) -> AsyncIterator[dict[str, list[ChangeEvent]]]:
    """What is published while the block runs, by provider."""
    found: dict[str, list[ChangeEvent]] = defaultdict(list)
    consumer = cluster.consumer(group_id=None)
    await consumer.start()
    topics = [cluster.topics.changes(provider) for provider in PROVIDERS]
    consumer.assign([TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)])

    async def read() -> None:
        async for record in consumer:
            found[record.topic.rsplit(".", 1)[1]].append(ChangeEvent.model_validate_json(record.value))

    reading = asyncio.create_task(read())
    try:
        yield found
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.stop()


@pytest.mark.timeout(600)
async def test_in_every_kind_of_trouble_of_one_provider_the_changes_of_the_others_are_published(
    bootstrap_servers, topic_prefix, tmp_path
):
    """Polling and enrichment as processes: both ask TMDB all the while, whose changes wait and then come, each once."""
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    await ensure_topics(cluster, [topic for name in PROVIDERS for topic in cluster.topics.of_provider(name)])
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox(limits=Limits(tmdb_per_second=10_000)))
        config = config_for(sandbox.url, cluster, settle="100ms", retry_budget="10m", **LIMITS)
        path = str(write_config(tmp_path / "changecast.yaml", config))
        environ = {"CHANGECAST_DATA_DIR": str(tmp_path / "data")}
        for part in ("producers", "streams"):
            await stack.enter_async_context(changecast("worker", part, "-c", path, environ=environ))
        told = await stack.enter_async_context(published(cluster))

        async def edit_and_see(within: float, providers: Sequence[str], meanwhile: str) -> None:
            marks = {name: len(told[name]) for name in providers}
            edits = {name: sandbox.catalogue.edit(name).subject for name in providers}

            async def all_told() -> bool:
                return all(subject in [event.subject for event in told[name][marks[name] :]] for name, subject in edits.items())

            await until(all_told, within, f"{edits} while TMDB {meanwhile}")

        await edit_and_see(PUBLISHED_WITHIN_S + 60, PROVIDERS, "is well")
        asked = []
        for name, trouble in TURNS.items():
            sandbox.faults.clear()
            sandbox.faults.add(trouble.of("tmdb"))
            asked.append(resync_event("tmdb", MOVIE, now()))
            await publish(cluster, asked[-1])
            await edit_and_see(PUBLISHED_WITHIN_S, ("pbs", "tvdb"), f"is in trouble: {name}")
        assert not {event.id for event in asked} & {event.id for event in told["tmdb"]}

        sandbox.faults.clear()
        await edit_and_see(COMES_BACK_WITHIN_S, ("tmdb",), "is well again")
        ids = {event.id for event in asked}

        async def all_came() -> bool:
            return ids <= {event.id for event in told["tmdb"]}

        await until(all_came, COMES_BACK_WITHIN_S, "those that waited")
        waited = [event for event in told["tmdb"] if event.id in ids]
        assert [event.id for event in waited] == [event.id for event in asked]
        assert {event.data.enrichment.status for event in waited} == {"complete"}


async def read_past(cluster: Cluster, moment: datetime, *names: str) -> bool:
    found = await cursors(cluster)
    return all(any(c.provider == name for c in found.values()) for name in names) and all(
        c.read_to > moment for c in found.values() if c.provider in names
    )


@pytest.mark.parametrize("trouble", ["status 500", "no answer comes", "a web page with status 200"])
async def test_a_provider_that_was_in_trouble_is_read_up_to_now_by_itself(bootstrap_servers, topic_prefix, trouble):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    async with Sandbox() as sandbox:
        sandbox.faults.add(TROUBLES[trouble].of("tmdb"))
        began = datetime.now(UTC)
        async with working(config_for(sandbox.url, cluster, **LIMITS), cluster):
            await until(lambda: read_past(cluster, began, "pbs", "tvdb"), what="the others are read")
            assert not await read_past(cluster, began, "tmdb")
            sandbox.faults.clear()
            moment = datetime.now(UTC)
            await until(lambda: read_past(cluster, moment, *PROVIDERS), 80, "the one that was in trouble goes on")


@pytest.mark.parametrize("trouble", ["the key is refused", "the host is not found"])
async def test_while_one_provider_can_not_be_asked_at_all_the_others_are_read_up_to_now(bootstrap_servers, topic_prefix, trouble):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    async with Sandbox() as sandbox:
        config = config_for(sandbox.url, cluster, **LIMITS)
        if trouble in TROUBLES:
            sandbox.faults.add(TROUBLES[trouble].of("tmdb"))
        else:
            assert config.providers.tmdb is not None
            lost = config.providers.tmdb.model_copy(update={"base_url": NOWHERE})
            config = config.model_copy(update={"providers": config.providers.model_copy(update={"tmdb": lost})})
        began = datetime.now(UTC)
        async with working(config, cluster):
            for within in (30.0, KEEPS_UP_S, KEEPS_UP_S):
                moment = datetime.now(UTC)
                await until(lambda moment=moment: read_past(cluster, moment, "pbs", "tvdb"), within, "the others are read")
            assert not await read_past(cluster, began, "tmdb")

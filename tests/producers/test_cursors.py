"""A feed goes on where it was, whatever has happened to the config or the process meanwhile."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta

import pytest

from changecast.sandbox import Sandbox
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from schemas.config import Config, Subscription
from tests.producers.worlds import (
    PROVIDERS,
    changecast,
    config_for,
    counted,
    cursors,
    now,
    raw_events,
    read_past,
    until,
    whole_history,
    working,
    write_config,
)

FEEDS = 4
WEBHOOK = {"url": "https://example.org/hook", "secret": "whsec_" + "Y2hhbmdlY2FzdC1lbmQtdG8tZW5kLXRlc3Qta2V5"}


def subscribed(config: Config, name: str) -> Config:
    return config.model_copy(update={"subscriptions": [Subscription.model_validate({"name": name, "webhook": WEBHOOK})]})


@pytest.fixture
async def cluster(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    await ensure_topics(cluster, cluster.topics.common())
    return cluster


@pytest.mark.long
async def test_cursors_outlive_a_restart_another_interval_and_the_rename_of_a_subscription(cluster):
    async with Sandbox() as sandbox:

        async def edit_and_read(config: Config) -> None:
            """A worker's life: the edits made before it and during it are read."""
            async with working(config, cluster):
                for provider in PROVIDERS:
                    sandbox.catalogue.edit(provider)
                edited = now()
                await until(lambda: read_past(cluster, edited, FEEDS))

        for provider in ("pbs", "tvdb"):
            for _ in range(10):
                sandbox.catalogue.edit(provider, time=now().timestamp() - 8 * 3600)
        config = config_for(sandbox.url, cluster)
        await edit_and_read(subscribed(config, "newsroom"))
        before = await cursors(cluster)
        a_while_ago = now() - timedelta(hours=2)
        old = {provider: [e.id for e in await raw_events(cluster, provider) if e.time < a_while_ago] for provider in PROVIDERS}
        for _ in range(30):
            sandbox.catalogue.edit()

        await edit_and_read(subscribed(config_for(sandbox.url, cluster, interval="2s"), "newsroom-renamed"))
        after = await cursors(cluster)
        assert {name: cursor.position["begun"] for name, cursor in after.items()} == {
            name: cursor.position["begun"] for name, cursor in before.items()
        }
        for provider in PROVIDERS:
            assert await whole_history(config, provider) <= set(await counted(cluster, provider))
        for provider in ("pbs", "tvdb"):
            again = await counted(cluster, provider)
            # outside of the overlap: a start that did not know its cursor would have told them again
            assert len(old[provider]) >= 3
            assert {event_id: again[event_id] for event_id in old[provider]} == dict.fromkeys(old[provider], 1)


@pytest.mark.timeout(180)
async def test_cursors_outlive_a_reload_of_the_config(cluster, tmp_path):
    async with Sandbox() as sandbox:
        for provider in ("pbs", "tvdb"):
            for _ in range(10):
                sandbox.catalogue.edit(provider, time=now().timestamp() - 8 * 3600)
        config = config_for(sandbox.url, cluster)
        path = write_config(tmp_path / "changecast.yaml", config)

        async def keep_editing():
            while True:
                for provider in PROVIDERS:
                    sandbox.catalogue.edit(provider)
                await asyncio.sleep(0.2)

        async with changecast("worker", "producers", "-c", str(path)) as worker:
            started = now()
            await until(lambda: read_past(cluster, started, FEEDS), 60)
            editing = asyncio.create_task(keep_editing())
            for number, interval in enumerate(("2s", "1500ms", "3s"), 1):
                before = await cursors(cluster)
                write_config(path, config_for(sandbox.url, cluster, interval=interval))
                worker.process.send_signal(signal.SIGHUP)
                await until(worker.said("provider tmdb has another interval", number))
                await until(worker.said("imported, configured, and connected", number + 1), 60)
                reloaded = now()
                await until(lambda moment=reloaded: read_past(cluster, moment, FEEDS), 60, "all feeds read after the reload")
                after = await cursors(cluster)
                assert {name: cursor.position["begun"] for name, cursor in after.items()} == {
                    name: cursor.position["begun"] for name, cursor in before.items()
                }
                assert all(after[name].read_to > before[name].read_to for name in before)
            editing.cancel()
            await asyncio.wait([editing])
            ended = now()
            await until(lambda: read_past(cluster, ended, FEEDS), 60, "the last edits read")
            worker.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(worker.process.wait(), 25) == 0

        for provider in PROVIDERS:
            assert await whole_history(config, provider) <= set(await counted(cluster, provider))
        a_while_ago = started - timedelta(hours=2)
        for provider in ("pbs", "tvdb"):
            told = await counted(cluster, provider)
            old = {event.id for event in await raw_events(cluster, provider) if event.time < a_while_ago}
            # outside of the overlap: a worker that had not known its cursor would have told them again
            assert len(old) >= 3
            assert {event_id: told[event_id] for event_id in old} == dict.fromkeys(old, 1)

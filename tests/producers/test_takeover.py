"""Two producers workers as processes over a sandbox of its own: one polls, the other takes over when it is killed."""

from __future__ import annotations

import asyncio
import signal

import orjson
import pytest
from click.testing import CliRunner

from changecast.cli import cli
from runtime.kafka import Cluster
from tests.eventually import until
from tests.producers.sandbox_process import sandbox_process
from tests.producers.worlds import (
    PROVIDERS,
    changecast,
    config_for,
    counted,
    cursors,
    now,
    raw_events,
    read_past,
    whole_history,
    write_config,
)

POLLS, STANDS_BY = "this worker polls", "this one stands by"
FEEDS = 4
OLD_S = 8 * 3600
"""Before the start, and outside of what PBS and TheTVDB are read again."""


async def listed(path: str, workers: int) -> str:
    """`changecast provider list` once each feed has been polled to its end by one of so many workers; returns which."""
    found = {}

    async def all_polled() -> bool:
        shown = await asyncio.to_thread(CliRunner().invoke, cli, ["provider", "list", "--json", "-c", path])
        found.update(orjson.loads(shown.output))
        return all(feed["status"]["polled_at"] for feed in found["feeds"])

    await until(all_polled, what="every feed polled, by the list")
    assert (found["workers"], found["polled"], len(found["feeds"])) == (workers, True, FEEDS)
    for feed in found["feeds"]:
        status = feed["status"]
        assert feed["lag_s"] >= 0
        assert feed["cursor"]["read_to"]
        assert status["requests"] > 0
        assert status["state"] in ("polling", "waiting", "catching-up")
        assert status["error"] is None
    [leader] = {feed["status"]["worker"] for feed in found["feeds"]}
    return str(leader)


@pytest.mark.timeout(240)
async def test_a_killed_workers_feeds_are_taken_over_and_nothing_is_lost_or_told_twice_beyond_the_overlap(
    bootstrap_servers, topic_prefix, tmp_path
):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    async with sandbox_process(tmp_path) as sandbox:
        config = config_for(sandbox.url, cluster)
        path = str(write_config(tmp_path / "changecast.yaml", config))
        for provider in ("pbs", "tvdb"):
            await sandbox.edit(provider=provider, count=20, time=now().timestamp() - OLD_S)
        async with changecast("worker", "producers", "-c", path) as first:
            await until(first.said(POLLS))
            async with changecast("worker", "producers", "-c", path) as second:
                await until(second.said(STANDS_BY))
                await sandbox.edit_steadily(per_minute=300)

                async def all_told():
                    return all([await raw_events(cluster, provider) for provider in PROVIDERS])

                await until(all_told, what="events of every provider")
                once_more = now()
                await until(lambda: read_past(cluster, once_more, FEEDS), what="all feeds read once more")
                assert not any(POLLS in line for line in second.lines)
                leader = await listed(path, workers=2)

                first.process.send_signal(signal.SIGKILL)
                killed = now()
                read_to = await cursors(cluster)
                await until(lambda: read_past(cluster, killed, FEEDS), what="all feeds read by the second worker")
                assert await listed(path, workers=1) != leader

                await sandbox.edit_steadily(per_minute=0)
                ended = now()
                await until(lambda: read_past(cluster, ended, FEEDS), what="the last edits read")

        for provider in PROVIDERS:
            told = await counted(cluster, provider)
            assert await whole_history(config, provider) <= set(told)
        for name in ("pbs:changelog", "tvdb:updated"):
            provider = name.split(":")[0]
            reread_from = read_to[name].read_to - config.providers.configured()[provider].overlap
            told = await counted(cluster, provider)
            behind = {event.id for event in await raw_events(cluster, provider) if event.time < reread_from}
            assert len(behind) >= 3
            assert {event_id: told[event_id] for event_id in behind if told[event_id] > 1} == {}

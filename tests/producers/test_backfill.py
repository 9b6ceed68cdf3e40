"""A range read again beside a running worker, and an entity told once more."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.errors import ProducerFenced
from click.testing import CliRunner

from changecast.cli import cli
from changecast.sandbox import Fault, Sandbox
from producers.backfill import Range, backfill
from runtime.clock import ManualClock
from runtime.http import ProviderUnavailable
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from runtime.topics import ensure_topics
from tests.producers.worlds import (
    PROVIDERS,
    config_for,
    counted,
    cursors,
    now,
    raw_events,
    read_past,
    until,
    working,
    write_config,
)

FEEDS = 4
DAYS = 5


@pytest.fixture
async def cluster(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    topics = [topic for provider in PROVIDERS for topic in cluster.topics.of_provider(provider)]
    await ensure_topics(cluster, [*cluster.topics.common(), *topics])
    return cluster


def days_ago(days: float) -> datetime:
    return now() - timedelta(days=days)


def edit_the_past(sandbox, provider):
    """Edits of the last five days, oldest first. TheTVDB knows only when a series last changed: each gets a time of its own."""
    if provider == "tvdb":
        series = {sandbox.catalogue.edit("tvdb", time=days_ago(DAYS).timestamp()).subject for _ in range(40)}
        for number, subject in enumerate(sorted(series)):
            moment = days_ago(DAYS * (1 - number / len(series)))
            sandbox.catalogue.edit("tvdb", "touched", target=subject.split(":")[2], time=moment.timestamp())
        return
    for hours in range(24 * DAYS, 0, -3):
        sandbox.catalogue.edit(provider, time=now().timestamp() - hours * 3600)


async def read(cluster, sandbox, provider, span, **options):
    settings = config_for(sandbox.url, cluster).providers.configured()[provider]
    return await backfill(cluster, provider, settings, span, rate=RateLimit(1000), **options)


@pytest.mark.parametrize(("provider", "feed"), [("tmdb", "movie"), ("pbs", "changelog"), ("tvdb", "updated")])
async def test_a_range_brings_what_happened_in_it_and_nothing_else(cluster, provider, feed):
    span = Range(days_ago(4), days_ago(2))
    async with Sandbox() as sandbox:
        edit_the_past(sandbox, provider)
        progress = []
        (done,) = await read(cluster, sandbox, provider, span, feeds=(feed,), on_progress=progress.append)
        told = [event.id for event in await raw_events(cluster, provider)]
        await read(cluster, sandbox, provider, Range(days_ago(6), now()), feeds=(feed,))
    assert (done.feed, done.read_to, done.events, done.left) == (feed, span.until, len(told), None)
    everything = {event.id: event.time for event in await raw_events(cluster, provider)}
    assert set(told) == {event_id for event_id, time in everything.items() if time in span}
    assert 0 < len(told) < len(everything)
    assert [each.read_to for each in progress] == sorted(each.read_to for each in progress)
    assert await cursors(cluster) == {}


async def test_events_of_a_range_are_observed_when_they_are_read(cluster):
    async with Sandbox() as sandbox:
        edit_the_past(sandbox, "pbs")
        began = now()
        await read(cluster, sandbox, "pbs", Range(days_ago(3), days_ago(2)))
    assert all(event.data.observed_at >= began > event.time for event in await raw_events(cluster, "pbs"))


@pytest.mark.long
async def test_a_backfill_runs_beside_the_worker_which_polls_on(cluster, tmp_path):
    async with Sandbox() as sandbox:
        edit_the_past(sandbox, "pbs")
        config = config_for(sandbox.url, cluster)
        path = write_config(tmp_path / "changecast.yaml", config)
        async with working(config, cluster):
            await until(lambda: read_past(cluster, now() - timedelta(seconds=5), FEEDS))
            polled = await counted(cluster, "pbs")
            since = days_ago(4).strftime("%Y-%m-%dT%H:%M")
            command = ["provider", "backfill", "pbs", "--since", since, "-c", str(path)]
            result = await asyncio.to_thread(CliRunner().invoke, cli, command)
            assert result.exit_code == 0, result.output
            sandbox.catalogue.edit("pbs")
            edited = now()
            await until(lambda: read_past(cluster, edited, FEEDS), what="polled on")
    events = await raw_events(cluster, "pbs")
    assert "changes read" in result.output
    assert len({event.id for event in events}) > len(polled)
    assert min(event.time for event in events) < days_ago(3)
    assert (await cursors(cluster))["pbs:changelog"].read_to > edited


async def test_a_provider_that_is_away_for_a_while_is_waited_for(cluster):
    async with Sandbox() as sandbox:
        edit_the_past(sandbox, "pbs")
        sandbox.faults.add(Fault("* /pbs/*", times=9, status=503))
        (done,) = await read(cluster, sandbox, "pbs", Range(days_ago(3), days_ago(2)), clock=ManualClock(now()))
    assert done.left is None
    assert done.events == len(await raw_events(cluster, "pbs")) > 0


async def test_a_provider_that_stays_away_ends_the_backfill_with_the_reason(cluster):
    async with Sandbox() as sandbox:
        sandbox.faults.add(Fault("* /pbs/*", times=None, status=503))
        with pytest.raises(ProviderUnavailable, match="status 503"):
            await read(cluster, sandbox, "pbs", Range(days_ago(3), days_ago(2)), clock=ManualClock(now()))


async def test_an_entity_without_a_readable_answer_does_not_hold_a_range_for_ever(cluster):
    async with Sandbox() as sandbox:
        edit_the_past(sandbox, "tmdb")
        movie = sandbox.catalogue.edit("tmdb", "movie-created", time=days_ago(3).timestamp()).subject.split(":")[2]
        sandbox.faults.add(Fault.html(f"GET /tmdb/3/movie/{movie}/changes", times=None, status=200))
        (done,) = await read(
            cluster, sandbox, "tmdb", Range(days_ago(4), days_ago(2)), feeds=("movie",), clock=ManualClock(now())
        )
    assert done.left is not None
    assert done.events > 0


async def test_a_range_with_a_deleted_movie_ends_well_and_publishes_no_deletion(cluster):
    async with Sandbox() as sandbox:
        edit_the_past(sandbox, "tmdb")
        movie = sandbox.catalogue.edit("tmdb", "movie-created", time=days_ago(3).timestamp()).subject.split(":")[2]
        sandbox.catalogue.edit("tmdb", "movie-removed", target=int(movie), time=days_ago(2.5).timestamp())
        (done,) = await read(cluster, sandbox, "tmdb", Range(days_ago(4), days_ago(2)), feeds=("movie",))
    assert done.left is None
    assert not [event for event in await raw_events(cluster, "tmdb") if event.type.endswith(".entity.deleted")]


async def test_two_backfills_of_a_feed_do_not_run_at_once(cluster):
    async with Sandbox() as sandbox:
        edit_the_past(sandbox, "pbs")
        sandbox.faults.add(Fault("* /pbs/*", delay=3))
        first = asyncio.create_task(read(cluster, sandbox, "pbs", Range(days_ago(4), days_ago(2))))
        await until(lambda: asyncio.sleep(0, not sandbox.faults.pending))
        await read(cluster, sandbox, "pbs", Range(days_ago(4), days_ago(2)))
        with pytest.raises(ProducerFenced):
            await first


@pytest.mark.parametrize(
    ("since", "until_", "words"),
    [
        (datetime(2025, 1, 5, tzinfo=UTC), datetime(2025, 1, 5, tzinfo=UTC), "empty"),
        (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 5, tzinfo=UTC), "future"),
    ],
)
def test_a_range_is_not_empty_and_not_in_the_future(since, until_, words):
    with pytest.raises(ValueError, match=words):
        Range(since, until_).check(datetime(2025, 1, 3, tzinfo=UTC))

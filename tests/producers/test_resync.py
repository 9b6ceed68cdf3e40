"""An entity told once more: neither dedupe nor the freshness rule nor the comparison swallows it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from changecast.cli import cli
from changecast.sandbox import Sandbox
from producers.interface import Refused
from producers.resync import resync_event
from runtime.kafka import Cluster
from schemas.event import Entity
from tests.producers.worlds import config_for, raw_events, write_config
from tests.streams.memory import BEGINNING, MemoryProvider
from tests.streams.partition import Partition, changes, pbs, show

ASKED = datetime(2025, 1, 21, 12, tzinfo=UTC)
SERIES = Entity(type="series", native_type="show", id="1")


def resync(provider="pbs", entity=SERIES, asked=ASKED):
    return resync_event(provider, entity, asked)


async def test_an_entity_in_which_nothing_differs_is_published_with_its_state():
    provider = MemoryProvider()
    provider.answers["1"] = show("Nature", ASKED + timedelta(seconds=9))
    partition = Partition(provider)
    await partition.feed(pbs(1))
    (event,) = changes(await partition.feed(resync()))
    (change,) = event.data.changes
    assert (change.key, change.action, change.after["title"]) == ("entity", "updated", "Nature")
    assert event.id == "pbs:series:1:resync:2025-01-21T12:00:00Z"
    assert event.type == "changecast.pbs.series.entity.updated"


async def test_what_differs_is_told_with_it():
    provider = MemoryProvider()
    provider.answers["1"] = show("Nature", BEGINNING + timedelta(seconds=2))
    partition = Partition(provider)
    await partition.feed(pbs(1))
    provider.answers["1"] = show("Nature II", ASKED + timedelta(seconds=9))
    (event,) = changes(await partition.feed(resync()))
    assert [(change.key, change.before) for change in event.data.changes] == [("entity", None), ("title", "Nature")]


async def test_an_older_snapshot_does_not_do():
    provider = MemoryProvider()
    provider.answers["1"] = show("Nature", ASKED - timedelta(seconds=1))
    partition = Partition(provider)
    await partition.feed(pbs(1))
    await partition.feed(resync())
    assert provider.asked == ["1", "1"]


async def test_an_entity_that_was_never_seen_is_told_with_its_state():
    provider = MemoryProvider()
    provider.answers["1"] = show("Nature", ASKED + timedelta(seconds=9))
    (event,) = changes(await Partition(provider).feed(resync()))
    assert [(change.key, change.after["title"]) for change in event.data.changes] == [("entity", "Nature")]
    assert event.data.enrichment.baseline


async def test_it_is_told_once_for_each_time_it_is_asked_for():
    provider = MemoryProvider()
    provider.answers["1"] = show("Nature", ASKED + timedelta(seconds=9))
    partition = Partition(provider)
    twice = [resync(), resync(), resync(asked=ASKED + timedelta(seconds=1))]
    assert len(changes(await partition.feed(*twice))) == 2


async def test_among_other_events_of_the_entity_it_keeps_its_state():
    provider = MemoryProvider()
    provider.answers["1"] = show("Nature", ASKED + timedelta(seconds=9))
    events = changes(await Partition(provider).feed(pbs(1), resync(), pbs(2)))
    assert [[change.key for change in event.data.changes] for event in events] == [["entity"], ["entity"], []]
    assert events[1].data.changes[0].after["title"] == "Nature"


async def test_a_provider_whose_changes_are_not_compared_tells_the_state_likewise():
    movie = Entity(type="movie", native_type="movie", id="550")
    (event,) = changes(await Partition(MemoryProvider()).feed(resync("tmdb", movie)))
    assert [(change.key, change.action) for change in event.data.changes] == [("entity", "updated")]
    assert event.data.entity.name == "Movie 550"


async def test_an_entity_that_is_gone_is_told_as_not_found():
    provider = MemoryProvider()
    provider.answers["1"] = Refused(SERIES, forbidden=False, fetched_at=ASKED)
    (event,) = changes(await Partition(provider).feed(resync()))
    assert event.data.enrichment.status == "not_found"
    assert [change.key for change in event.data.changes] == ["entity"]


@pytest.mark.parametrize(
    ("urn", "subject"), [("tmdb:movie:550", "tmdb:movie:550"), ("tmdb:series:1399/1/1", "tmdb:episode:63056")]
)
async def test_the_command_names_the_entity_as_the_provider_does(bootstrap_servers, topic_prefix, tmp_path, urn, subject):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    async with Sandbox() as sandbox:
        path = write_config(tmp_path / "changecast.yaml", config_for(sandbox.url, cluster))
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["provider", "resync", urn, "-c", str(path)])
    assert result.exit_code == 0, result.output
    (event,) = await raw_events(cluster, "tmdb")
    assert event.subject == subject
    assert event.data.resync
    assert event.id in result.output


@pytest.mark.parametrize(("urn", "why"), [("tmdb:movie:99999999", "is the id right?"), ("tmdb:moovie:550", "is the type right?")])
async def test_what_the_provider_does_not_know_is_published_only_when_that_is_meant(
    bootstrap_servers, topic_prefix, tmp_path, urn, why
):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    async with Sandbox() as sandbox:
        path = write_config(tmp_path / "changecast.yaml", config_for(sandbox.url, cluster))
        command = ["provider", "resync", urn, "-c", str(path)]
        refused = await asyncio.to_thread(CliRunner().invoke, cli, command)
        forced = await asyncio.to_thread(CliRunner().invoke, cli, [*command, "--force"])
    assert (refused.exit_code, forced.exit_code) == (1, 0)
    assert urn in refused.output
    assert why in refused.output
    assert "--force" in refused.output
    (event,) = await raw_events(cluster, "tmdb")
    assert event.id in forced.output

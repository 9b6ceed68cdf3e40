"""`changecast fetch`, with the sandbox as the provider."""

from __future__ import annotations

import asyncio
import sys

import orjson
import pytest

from changecast.sandbox import Sandbox
from runtime.kafka import Cluster
from tests.producers.worlds import config_for, write_config


@pytest.fixture
async def fetched(tmp_path):
    """Runs the command as a process; no Kafka is there, since none is needed."""
    async with Sandbox() as sandbox:
        path = write_config(tmp_path / "changecast.yaml", config_for(sandbox.url, Cluster.at("127.0.0.1:1", "changecast")))

        async def run(urn: str, *options: str) -> tuple[int | None, bytes, str]:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "changecast", "fetch", urn, "-c", str(path), *options,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            shown, said = await asyncio.wait_for(process.communicate(), 60)
            return process.returncode, shown, said.decode()

        yield run


async def test_an_episode_named_by_its_numbers_is_shown_with_its_parents_and_stills(fetched):
    code, shown, said = await fetched("tmdb:series:1399/1/2")
    event = orjson.loads(shown)
    assert (code, said) == (0, "")
    assert event["subject"] == "tmdb:episode:63057"
    assert [parent["type"] for parent in event["data"]["entity"]["parents"]] == ["series", "season"]
    assert event["data"]["images"][0]["kind"] == "still"


async def test_compact_is_one_line(fetched):
    _, shown, _ = await fetched("tmdb:movie:550", "--compact")
    assert shown.count(b"\n") == 1


@pytest.mark.parametrize(
    ("urn", "status", "note"),
    [
        ("tmdb:moovie:550", "skipped", "is the type right?"),
        ("tmdb:movie:99999999", "not_found", "is the id right?"),
    ],
)
async def test_a_mistyped_urn_is_remarked_on_beside_the_event(fetched, urn, status, note):
    code, shown, said = await fetched(urn)
    assert code == 0
    assert orjson.loads(shown)["data"]["enrichment"]["status"] == status
    assert urn in said
    assert note in said


async def test_an_unknown_provider_is_a_wrong_usage_that_names_those_there_are(fetched):
    code, _, said = await fetched("tmbd:movie:550")
    assert code == 2
    assert "tmdb, pbs, tvdb" in said

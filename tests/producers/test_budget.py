"""One request budget a provider: what polling and enrichment spend together, in all processes, as the sandbox counts it."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from runtime.kafka import Cluster
from tests.eventually import until
from tests.producers.sandbox_process import sandbox_process
from tests.producers.worlds import changecast, config_for, write_config
from tests.streams.test_rebalance import members

RATES = {"tmdb": 20, "pbs": 12, "tvdb": 12}
BUSY = 90
"""Requests of TMDB by which every worker has spent its share for some seconds."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("before", "joining"), [(1, 0), (3, 0), (1, 2)])
async def test_no_second_has_more_requests_than_the_budget(bootstrap_servers, topic_prefix, tmp_path, before, joining):
    """Also while workers join, and partitions and their shares move to them."""
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    async with sandbox_process(tmp_path, tmdb_per_second=10_000) as sandbox, AsyncExitStack() as stack:
        for provider in RATES:
            await sandbox.edit(provider=provider, count=400)
        config = config_for(sandbox.url, cluster, settle="100ms")
        sections = config.providers.configured()
        rated = {name: section.model_copy(update={"rate": RATES[name]}) for name, section in sections.items()}
        config = config.model_copy(update={"providers": config.providers.model_copy(update=rated)})
        path = write_config(tmp_path / "changecast.yaml", config)

        async def start_streams(number):
            folder = {"CHANGECAST_DATA_DIR": str(tmp_path / f"streams-{number}")}
            return await stack.enter_async_context(changecast("worker", "streams", "-c", str(path), environ=folder))

        for number in range(before):
            await start_streams(number)
        await stack.enter_async_context(changecast("worker", "producers", "-c", str(path)))

        async def enriching():
            requests = await sandbox.requests()
            return requests.count("tmdb", "/images") > 5 and requests.count("tvdb", "/series/{id}") > 5

        await until(enriching, 90, "enrichment under way")
        await sandbox.reset_requests()
        await sandbox.edit_steadily(per_minute=3_000)
        for number in range(joining):
            await start_streams(before + number)

        async def all_share():
            return await members(cluster, topic_prefix) == before + joining

        await until(all_share, 90, "all workers have joined")
        shared = (await sandbox.requests()).count("tmdb")

        async def busy():
            return (await sandbox.requests()).count("tmdb") - shared > BUSY

        await until(busy, 90, "the budget is used, or this would show nothing")
        requests = await sandbox.requests()
        spent = {name: requests.peak(name) for name in RATES}
        assert all(spent[name] <= RATES[name] for name in RATES), spent

"""Ten minutes of status 500 to those who poll, by a clock that is moved: it costs few requests, and no change."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from changecast.sandbox import Limits, Sandbox
from producers.poller import FeedPoller
from producers.registry import REGISTRY
from runtime.clock import ManualClock
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from runtime.topics import ensure_topics
from tests.eventually import until
from tests.producers.troubles import FailsFor
from tests.producers.worlds import PROVIDERS, config_for, counted, now, whole_history

TEN_MINUTES_S = 600.0


@pytest.mark.parametrize("name", PROVIDERS)
async def test_ten_minutes_of_500_cost_few_requests_and_no_change(bootstrap_servers, topic_prefix, name):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    await ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider(name)])
    clock = ManualClock(now())
    limits = Limits(tmdb_per_second=10_000)
    async with Sandbox(clock=lambda: clock.now().timestamp(), monotonic=clock.monotonic, limits=limits) as sandbox:
        config = config_for(sandbox.url, cluster, providers=(name,), interval="30s")
        provider = REGISTRY[name](config.providers.configured()[name], RateLimit(1000, clock), clock)
        for _ in range(10):
            sandbox.catalogue.edit(name)
        calls = await whole_history(config, name, clock)
        assert calls
        sandbox.faults = failing = FailsFor(clock, TEN_MINUTES_S)
        pollers = [FeedPoller(cluster, name, feed, clock=clock, random=Random(1)) for feed in provider.feeds]
        tasks = [asyncio.create_task(poller.run()) for poller in pollers]

        async def told() -> bool:
            return calls <= set(await counted(cluster, name))

        try:
            await until(told, 60, "what changed before the trouble")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await provider.aclose()
    lasted = failing.times[-1] - failing.times[0]
    assert lasted > TEN_MINUTES_S / 2
    # a try has four requests at most, and the pauses between two grow to a minute; TMDB has two feeds
    assert len(failing.times) < TEN_MINUTES_S / 2

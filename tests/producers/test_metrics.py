"""What the producers worker tells of providers in trouble, and which of two workers tells it."""

from __future__ import annotations

from contextlib import AsyncExitStack

from changecast.sandbox import Fault, Sandbox
from runtime.kafka import Cluster
from runtime.topics import read_to_end
from schemas.config import Config, Metrics
from tests.eventually import until
from tests.producers.worlds import config_for, working
from tests.scraping import free_port, is_served, scrape


def shown(config: Config) -> tuple[Config, str]:
    """The config with a metrics port, and where that is."""
    port = free_port()
    return config.model_copy(update={"metrics": Metrics(port=port)}), f"http://127.0.0.1:{port}"


async def test_each_providers_trouble_is_told_by_its_kind(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    async with Sandbox() as sandbox:
        sandbox.faults.add(Fault("* /tmdb/*", times=None, status=401, body='{"status_code": 7}'))
        sandbox.faults.add(Fault("* /pbs/*", times=None, status=429, retry_after="40"))
        sandbox.faults.add(Fault.html("GET /tvdb/updated/*", times=None, status=200))
        config, url = shown(config_for(sandbox.url, cluster))
        async with working(config, cluster):
            await until(lambda: is_served(url))

            async def all_told() -> bool:
                page = await scrape(url)
                return (
                    page.total("changecast_feed_errors_total", provider="tmdb", kind="rejected") == 2
                    and page.total("changecast_provider_paused_seconds", provider="pbs") > 0
                    and page.total("changecast_feed_errors_total", provider="tvdb", kind="bad-response") > 0
                )

            await until(all_told, what="all troubles are told")
            page = await scrape(url)
    assert page.of("changecast_feed_state", provider="tmdb", state="rejected") == [1.0, 1.0]
    assert 30 < page.value("changecast_provider_paused_seconds", provider="pbs") <= 40
    assert page.value("changecast_provider_paused_seconds", provider="tmdb") == 0
    assert page.total("changecast_feed_events_total") == 0
    assert page.of("changecast_feed_last_success_timestamp_seconds") == []
    dead = [record async for record in read_to_end(cluster, cluster.topics.dead.name) if record.key == b"tvdb:updated"]
    assert 1 <= page.value("changecast_feed_broken_total", provider="tvdb", reason="bad-response") <= len(dead)
    kinds = page.total("changecast_feed_errors_total", provider="tvdb", kind="bad-response")
    assert page.total("changecast_feed_errors_total", provider="tvdb") == kinds


async def test_of_two_workers_the_one_that_polls_tells_of_the_feeds(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    async with Sandbox() as sandbox, AsyncExitStack() as stack:
        urls = []
        for _ in range(2):
            config, url = shown(config_for(sandbox.url, cluster, providers=("tvdb",)))
            await stack.enter_async_context(working(config, cluster))
            await until(lambda url=url: is_served(url))
            urls.append(url)

        async def pages():
            return [await scrape(url) for url in urls]

        async def one_polls() -> bool:
            return sorted(page.total("changecast_producers_leading") for page in await pages()) == [0, 1] and any(
                page.of("changecast_feed_lag_seconds") for page in await pages()
            )

        await until(one_polls, what="one polls, one stands by")
        for page in await pages():
            leads = page.value("changecast_producers_leading") == 1
            assert bool(page.of("changecast_feed_requests_total", provider="tvdb", feed="updated")) == leads

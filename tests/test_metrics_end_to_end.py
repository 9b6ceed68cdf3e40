"""Each worker as a process, on a real Kafka and the sandbox: what its metrics say is what has happened."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from changecast.sandbox import Sandbox, sandbox_providers
from runtime.kafka import Cluster
from runtime.metrics import names
from runtime.topics import read_to_end
from schemas import dead
from schemas.config import Config, load_config, secrets_of
from schemas.event import ChangeEvent
from sinks.topics import retry_topics
from tests.eventually import until
from tests.producers.worlds import PROVIDERS, changecast
from tests.scraping import Scraped, address, free_port, health, scrape
from tests.sinks.worlds import SECRET, receiving

PARTS = ("producers", "streams", "sinks")
EDITS = 8


@dataclass
class World:
    """The three workers' addresses, and the cluster that they work on."""

    cluster: Cluster
    addresses: dict[str, str]

    async def page(self, part: str) -> Scraped:
        return await scrape(self.addresses[part])

    async def records(self, topic: str):
        return [record async for record in read_to_end(self.cluster, topic)]

    async def changes(self) -> list[ChangeEvent]:
        topics = [self.cluster.topics.changes(provider).name for provider in PROVIDERS]
        return [ChangeEvent.model_validate_json(record.value) for topic in topics for record in await self.records(topic)]


def written(path: Path, sandbox: Sandbox, cluster: Cluster, gone: str) -> Config:
    """A config that polls once, and whose subscriptions fare differently."""
    nobody = f"http://127.0.0.1:{free_port()}/hook?token=hush-hush"
    settings = {"interval": "1h", "settle": "0s"}
    webhook = {"url": f"{sandbox.url}/webhook", "secret": sandbox.webhook_secret}
    document = {
        "data_dir": "data",
        "kafka": {"bootstrap_servers": cluster.bootstrap_servers, "topic_prefix": cluster.topics.prefix, "partitions": 2},
        "providers": {name: {**section, **settings} for name, section in sandbox_providers(sandbox.url).items()},
        "network": {"allow": ["127.0.0.0/8"]},
        "delivery": {"retry_schedule": ["1h"]},
        "subscriptions": [
            {"name": "everything", "match": {"unchanged": True}, "webhook": webhook},
            {
                "name": "fails-on-when",
                "match": {"unchanged": True},
                "when": "event.data.images[99].width > 1",
                "webhook": webhook,
            },
            {"name": "nobody-there", "match": {"unchanged": True}, "webhook": {"url": nobody, "secret": SECRET}},
            {"name": "gone", "match": {"unchanged": True}, "webhook": {"url": gone, "secret": SECRET, "concurrency": 1}},
        ],
    }
    path.write_bytes(orjson.dumps(document))
    return load_config(path)


@pytest.mark.timeout(180)
async def test_what_the_metrics_of_all_workers_say_is_what_has_happened(bootstrap_servers, topic_prefix, tmp_path):
    async def is_gone(_call) -> int:
        return 410

    cluster = Cluster.at(bootstrap_servers, topic_prefix, partitions=2)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox())
        receiver = await stack.enter_async_context(receiving(is_gone))
        config = written(tmp_path / "changecast.yaml", sandbox, cluster, f"{receiver.url}/gone")
        for provider in PROVIDERS:
            for _ in range(EDITS):
                sandbox.catalogue.edit(provider)
        workers = {
            part: await stack.enter_async_context(
                changecast("worker", part, "-c", str(tmp_path / "changecast.yaml"), "--metrics-port", "0")
            )
            # the sinks first: a subscription begins when it is first seen
            for part in ("sinks", "streams", "producers")
        }

        async def listening() -> bool:
            for worker in workers.values():
                assert worker.process.returncode is None, "\n".join(worker.lines)
            return all(address(worker.lines) for worker in workers.values())

        await until(listening, 60, "the metrics are served")
        world = World(cluster, {part: address(worker.lines) for part, worker in workers.items()})
        await until(lambda: quiet(world), 90, "everything is polled, published and delivered")
        await repeat_and_spoil(world)
        await until(lambda: has_seen(world, repeats=1, spoilt=1), what="the repeat and what can't be read are counted")
        await until(lambda: all_known_ids_counted(world), what="the known ids are counted")
        pages = {part: await world.page(part) for part in PARTS}
        await check_producers(world, sandbox, pages)
        await check_streams(world, pages["streams"])
        await check_sinks(world, sandbox, pages["sinks"])
        for part, page in pages.items():
            assert await health(world.addresses[part]) == (200, "ok\n")
            check_names(part, page)
            assert [secret for secret in secrets_of(config) if secret.value in page.text] == []
            assert "http" not in "".join(line for line in page.text.splitlines() if not line.startswith("#"))
        assert "hush-hush" not in "".join(page.text for page in pages.values())


async def quiet(world: World) -> bool:
    producers, streams, sinks = [await world.page(part) for part in PARTS]
    polled = producers.of("changecast_feed_last_success_timestamp_seconds")
    raw = producers.total("changecast_feed_events_total")
    published = streams.total("changecast_streams_published_total")
    lags = [*streams.of("changecast_streams_lag_records"), *sinks.of("changecast_sinks_lag_records")]
    return (
        len(polled) == len(producers.of("changecast_feed_requests_total")) > 0
        and raw > 0
        and streams.total("changecast_streams_events_total") == raw
        and published == raw - streams.total("changecast_streams_repeats_total")
        and sinks.total("changecast_deliveries_total", subscription="everything") == published
        # the streams read each provider, the sinks the alerts beside
        and len(lags) == (2 * len(PROVIDERS) + 1) * world.cluster.topics.partitions
        and not any(lags)
    )


async def repeat_and_spoil(world: World) -> None:
    """One raw event once more, and one that nobody can read, in the partition where the first stands."""
    topic = world.cluster.topics.raw("pbs").name
    first, *_ = await world.records(topic)
    async with world.cluster.producer() as producer:
        await producer.send_and_wait(topic, first.value, key=first.key, partition=first.partition)
        await producer.send_and_wait(topic, b"{}", key=b"pbs:asset:?", partition=first.partition)


async def has_seen(world: World, repeats: int, spoilt: int) -> bool:
    page = await world.page("streams")
    dropped, dead_ones = page.total("changecast_streams_repeats_total"), page.total("changecast_streams_dead_total")
    return dropped >= repeats and dead_ones == spoilt


async def all_known_ids_counted(world: World) -> bool:
    page = await world.page("streams")
    return page.total("changecast_streams_known_ids") == page.total("changecast_streams_published_total")


async def check_producers(world: World, sandbox: Sandbox, pages: dict[str, Scraped]) -> None:
    page, streams = pages["producers"], pages["streams"]
    topics = world.cluster.topics
    assert page.value("changecast_producers_leading") == 1
    for provider in PROVIDERS:
        spent = page.value("changecast_provider_requests_total", provider=provider)
        fetched = streams.value("changecast_provider_requests_total", provider=provider)
        assert spent + fetched == sandbox.requests.count(provider), provider
        assert page.total("changecast_feed_requests_total", provider=provider) == spent
        in_topic = len(await world.records(topics.raw(provider).name)) - (2 if provider == "pbs" else 0)
        assert page.total("changecast_feed_events_total", provider=provider) == in_topic > 0
        settings = pages["producers"].value("changecast_provider_budget_requests_per_second", provider=provider)
        shared = streams.value("changecast_provider_budget_requests_per_second", provider=provider)
        assert settings + shared == pytest.approx(40 if provider == "tmdb" else 10)
        assert page.total("changecast_feed_errors_total", provider=provider) == 0
        assert all(0 <= lag < 600 for lag in page.of("changecast_feed_lag_seconds", provider=provider))
    assert page.total("changecast_feed_broken_total") == 0
    assert page.of("changecast_feed_state", state="waiting") == [1.0] * 4
    assert page.total("changecast_feed_state") == 4
    assert {labels["feed"] for name, labels, _ in page.samples if name == "changecast_feed_sweep_age_seconds"} == {"movie", "tv"}


async def check_streams(world: World, page: Scraped) -> None:
    topics = world.cluster.topics
    changes = await world.changes()
    statuses = Counter((change.data.provider, str(change.data.enrichment.status)) for change in changes)
    for (provider, status), count in statuses.items():
        assert page.total("changecast_streams_published_total", provider=provider, status=status) == count
    assert page.total("changecast_streams_published_total") == len(changes)
    for provider in PROVIDERS:
        raw = await world.records(topics.raw(provider).name)
        for partition in range(topics.partitions):
            there = len([record for record in raw if record.partition == partition])
            assert page.value("changecast_streams_events_total", provider=provider, partition=partition) == there
        assert page.value("changecast_streams_transaction_seconds_count", provider=provider) > 0
        assert page.value("changecast_streams_fetch_seconds_count", provider=provider, outcome="fetched") > 0
        assert page.total("changecast_streams_fetch_seconds_count", provider=provider, outcome="failed") == 0
    assert page.total("changecast_streams_dead_total", provider="pbs") == 1
    assert page.total("changecast_streams_waiting_events") == 0
    assert page.total("changecast_streams_stopped") == 0
    told = {(change.data.provider, change.id): change.time.timestamp() for change in changes}
    oldest = page.of("changecast_streams_oldest_known_id_timestamp_seconds")
    assert all(min(told.values()) - 86_400 <= at <= max(told.values()) + 60 for at in oldest)
    assert page.total("changecast_streams_known_ids_bytes") >= 0
    assert len(page.of("changecast_streams_snapshots_bytes")) == len(PROVIDERS) * topics.partitions


async def parked_is_told(world: World) -> bool:
    page = await world.page("sinks")
    parked = [record for topic in retry_topics(world.cluster.topics).values() for record in await world.records(topic.name)]
    tried_again = page.value("changecast_deliveries_total", subscription="nobody-there", outcome="retry")
    return page.value("changecast_deliveries_parked", subscription="nobody-there") == tried_again == len(parked) > 0


async def check_sinks(world: World, sandbox: Sandbox, page: Scraped) -> None:
    count = len(await world.changes())
    delivered = page.value("changecast_deliveries_total", subscription="everything", outcome="delivered")
    assert delivered == count == sandbox.webhooks.counts["verified"]
    assert page.value("changecast_delivery_attempt_seconds_count", subscription="everything") == count
    assert page.value("changecast_delivery_attempt_seconds_sum", subscription="everything") > 0
    assert sum(page.total("changecast_sinks_events_total", provider=provider) for provider in PROVIDERS) == count
    assert page.value("changecast_when_errors_total", subscription="fails-on-when") == count
    assert page.total("changecast_deliveries_total", subscription="fails-on-when") == 0
    # its breaker lets a probe through every 30 s, so the numbers may move between the two readings
    await until(lambda: parked_is_told(world), what="the parked deliveries are counted")
    assert page.value("changecast_endpoint_breaker_open", subscription="nobody-there") == 1
    assert page.value("changecast_subscription_lag_records", subscription="nobody-there") > 0
    assert page.value("changecast_subscription_lag_records", subscription="everything") == 0
    assert page.value("changecast_endpoint_disabled", subscription="gone") == 1
    assert page.value("changecast_deliveries_total", subscription="gone", outcome="disabled") == 1
    assert page.total("changecast_endpoint_disabled") == 1
    buried = await world.records(world.cluster.topics.dead.name)
    assert Counter(dict(record.headers)[dead.REASON] for record in buried) == {b"bad-event": 1, b"endpoint-gone": 1}


def check_names(part: str, page: Scraped) -> None:
    """The page holds the closed list's metrics, all of them and nothing else but the process's own."""
    listed = {metric.name: metric.meaning for metric in names.OF_PART[part]}
    assert {name: words for name, words in page.described.items() if not name.startswith("process_")} == listed
    assert {name for name in page.sampled if not name.startswith("process_")} == set(listed)
    labels = {name: set(of) - {"le"} for name, of, _ in page.samples}
    for metric in names.OF_PART[part]:
        name = f"{metric.name}_count" if metric.kind == "histogram" else metric.name
        assert labels[name] == set(metric.labels)


@pytest.mark.timeout(120)
async def test_a_port_that_is_taken_is_told_and_taken_once_it_is_free(bootstrap_servers, topic_prefix, tmp_path):
    cluster = Cluster.at(bootstrap_servers, topic_prefix, partitions=2)
    config = {
        "kafka": {"bootstrap_servers": bootstrap_servers, "topic_prefix": topic_prefix, "partitions": 2},
        "providers": {},
    }
    port, taken = free_port(), socket.socket()
    taken.bind(("127.0.0.1", port))
    taken.listen()
    (tmp_path / "changecast.yaml").write_bytes(orjson.dumps({**config, "metrics": {"port": port}}))
    async with changecast("worker", "sinks", "-c", str(tmp_path / "changecast.yaml")) as worker:
        await until(worker.said(f"no metrics: 127.0.0.1:{port} can't be listened on (Address already in use)"), 60)

        async def group_is_there() -> bool:
            async with cluster.admin() as admin:
                described = await admin.describe_consumer_groups([f"{topic_prefix}-sinks"])
            return any(group[5] for response in described for group in response.groups)

        await until(group_is_there, what="the worker works although its port is taken")
        taken.close()
        await until(worker.said(f"metrics at http://127.0.0.1:{port}/metrics"))
        await asyncio.wait_for(scrape(f"http://127.0.0.1:{port}"), 10)

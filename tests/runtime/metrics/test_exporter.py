"""The page that Prometheus reads, over HTTP."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics

from runtime.clock import ManualClock
from runtime.metrics import Histogram, Reading, exporting, names
from runtime.rate import RateLimit
from schemas.config import Metrics
from tests.eventually import until
from tests.scraping import address, health, scrape

SHOWN = (names.QUEUED, names.FEED_EVENTS, names.ATTEMPT_SECONDS, names.BUDGET, names.REQUESTS, names.PAUSED)


@dataclass
class Part:
    queued: int | None = 3
    waiting: str | None = None

    def waits_for(self) -> str | None:
        return self.waiting

    async def read(self) -> Reading:
        if self.queued == 13:
            raise RuntimeError("a fault of ours")
        reading = Reading(SHOWN)
        reading.put(names.QUEUED, self.queued, "newsroom")
        return reading


@asynccontextmanager
async def shown(part: Part, caplog: pytest.LogCaptureFixture, host: str = "127.0.0.1") -> AsyncIterator[str]:
    with caplog.at_level(logging.INFO):
        async with exporting(Metrics(port=0, host=host), part):
            await until(lambda: address(caplog.messages))
            yield address(caplog.messages) or ""


async def test_a_page_has_the_values_of_the_moment_and_explains_every_metric(caplog: pytest.LogCaptureFixture) -> None:
    part = Part()
    async with shown(part, caplog) as url:
        assert (await scrape(url)).value("changecast_deliveries_queued", subscription="newsroom") == 3
        part.queued = 4
        page = await scrape(url)
        assert page.value("changecast_deliveries_queued", subscription="newsroom") == 4
        assert {metric.name: metric.meaning for metric in SHOWN}.items() <= page.described.items()
        part.queued = None
        assert (await scrape(url)).of("changecast_deliveries_queued") == []


async def test_who_asks_for_open_metrics_gets_them(caplog: pytest.LogCaptureFixture) -> None:
    accept = {"Accept": "application/openmetrics-text"}
    async with (
        shown(Part(), caplog) as url,
        aiohttp.ClientSession(headers=accept) as session,
        session.get(f"{url}/metrics") as response,
    ):
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert "changecast_deliveries_queued" in {family.name for family in open_metrics(await response.text())}


async def test_health_says_what_a_part_waits_for_until_it_is_at_work(caplog: pytest.LogCaptureFixture) -> None:
    part = Part(waiting="Kafka")
    async with shown(part, caplog) as url:
        assert await health(url) == (503, "waits for Kafka\n")
        part.waiting = None
        assert await health(url) == (200, "ok\n")


async def test_a_fault_in_reading_is_an_error_to_prometheus_and_not_an_empty_page(caplog: pytest.LogCaptureFixture) -> None:
    part = Part(queued=13)
    async with shown(part, caplog) as url, aiohttp.ClientSession() as session:
        async with session.get(f"{url}/metrics") as response:
            assert response.status == 500
        part.queued = 1
        assert (await scrape(url)).total("changecast_deliveries_queued") == 1
    assert "a fault of ours" in caplog.text


async def test_it_listens_where_it_is_told_to_and_not_beyond(caplog: pytest.LogCaptureFixture) -> None:
    async with shown(Part(), caplog) as url:
        port = int(url.rpartition(":")[2])
        with socket.socket() as other, pytest.raises(OSError):  # refused, or no such address at all
            other.settimeout(2)
            other.connect(("127.0.0.2", port))


async def test_without_a_port_nothing_listens(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with exporting(Metrics(), Part()):
            pass
    assert address(caplog.messages) is None


async def test_an_address_that_is_none_of_this_machines_is_told_and_does_not_end_the_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with exporting(Metrics(port=0, host="192.0.2.1"), Part()):
        await until(lambda: "192.0.2.1:0 can't be listened on (Cannot assign requested address)" in caplog.text)


def test_what_is_not_in_the_list_can_not_be_put() -> None:
    with pytest.raises(KeyError):
        Reading([names.QUEUED]).put(names.IN_FLIGHT, 1, "newsroom")
    with pytest.raises(AssertionError):
        Reading([names.QUEUED]).put(names.QUEUED, 1, "newsroom", "https://example.org")


async def test_a_budget_tells_what_is_spent_and_how_long_it_is_paused() -> None:
    clock = ManualClock()
    rate = RateLimit(12.0, clock)
    await rate.acquire()
    rate.pause(30)
    clock.advance(10)
    reading = Reading(SHOWN)
    reading.put_budget("tmdb", rate)
    values = {sample.name: sample.value for family in reading.families() for sample in family.samples}
    assert values == {
        "changecast_provider_budget_requests_per_second": 12.0,
        "changecast_provider_requests_total": 1,
        "changecast_provider_paused_seconds": 20.0,
    }
    clock.advance(60)
    assert rate.paused_s == 0


def test_a_histograms_buckets_end_with_all_of_it() -> None:
    seconds = Histogram()
    seconds.observe(90.0)
    assert seconds.buckets()[-2:] == [("15.0", 0.0), ("+Inf", 1.0)]


@pytest.mark.parametrize("path", ["metrics", "healthz"])
async def test_on_loopback_no_page_of_the_web_reads_it_and_elsewhere_scrapers_come_by_any_name(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = [{"Host": "evil.example"}, {"Origin": "https://evil.example"}]
    for host, expected in (("127.0.0.1", 403), ("0.0.0.0", 200)):
        caplog.clear()
        async with shown(Part(), caplog, host) as at, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{at.rpartition(':')[2]}/{path}"
            for headers in foreign:
                async with session.get(url, headers=headers) as answer:
                    assert answer.status == expected
            async with session.get(url) as answer:
                assert answer.status == 200

"""The provider against the sandbox: its login, its feed and its faults."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from changecast.sandbox import Fault, Sandbox
from producers.interface import Fetched
from producers.tvdb import TvdbProvider
from runtime.clock import ManualClock
from runtime.http import CredentialsRejected, ProviderUnavailable
from runtime.rate import RateLimit
from schemas.config import Tvdb
from schemas.event import Entity

SCRUBS = Entity(type="series", native_type="series", id="76156")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def tvdb(sandbox: Sandbox) -> AsyncIterator[TvdbProvider]:
    provider = TvdbProvider(settings(sandbox), RateLimit(1000))
    yield provider
    await provider.aclose()


def settings(sandbox: Sandbox, **changed: object) -> Tvdb:
    values = {"apikey": sandbox.credentials.tvdb_apikey, "base_url": f"{sandbox.url}/tvdb", "timeout": "5s", **changed}
    return Tvdb.model_validate(values)


async def polled(tvdb: TvdbProvider) -> list[str]:
    return [event.subject async for page in tvdb.feeds[0].poll(None) for event in page.events]


async def test_a_changed_series_is_found_and_fetched_with_one_login(sandbox: Sandbox, tvdb: TvdbProvider) -> None:
    sandbox.catalogue.edit("tvdb", "status", target=SCRUBS.id)
    assert f"tvdb:series:{SCRUBS.id}" in await polled(tvdb)
    assert isinstance(await tvdb.fetch(SCRUBS), Fetched)
    assert sandbox.requests.count("tvdb", "/login") == 1


async def test_a_session_that_the_provider_ends_is_renewed_once(sandbox: Sandbox, tvdb: TvdbProvider) -> None:
    await tvdb.fetch(SCRUBS)
    sandbox.revoke_tvdb_tokens()
    assert isinstance(await tvdb.fetch(SCRUBS), Fetched)
    assert sandbox.requests.count("tvdb", "/login") == 2


async def test_a_login_with_a_user_is_taken_too(sandbox: Sandbox) -> None:
    provider = TvdbProvider(settings(sandbox, username="reader", userkey="user-key-1"), RateLimit(1000))
    assert isinstance(await provider.fetch(SCRUBS), Fetched)
    await provider.aclose()


async def test_a_session_that_ends_under_many_requests_costs_one_login(sandbox: Sandbox, tvdb: TvdbProvider) -> None:
    await tvdb.fetch(SCRUBS)
    sandbox.revoke_tvdb_tokens()
    fetched = await asyncio.gather(*(tvdb.fetch(SCRUBS) for _ in range(5)), polled(tvdb))
    assert all(isinstance(answer, Fetched) for answer in fetched[:5])
    assert sandbox.requests.count("tvdb", "/login") == 2


async def test_a_token_is_refreshed_before_its_day_is_over() -> None:
    clock = ManualClock(datetime(2025, 9, 3, 12, tzinfo=UTC))
    async with Sandbox(clock=lambda: clock.now().timestamp(), monotonic=clock.monotonic) as sandbox:
        provider = TvdbProvider(settings(sandbox), RateLimit(1000, clock), clock)
        for _ in range(10):
            assert isinstance(await provider.fetch(SCRUBS), Fetched)
            clock.advance(11 * 3600)
        await provider.aclose()
        assert sandbox.requests.count("tvdb", "/login") == 1
        assert sandbox.requests.count("tvdb", "/refresh_token") >= 4
        assert sandbox.requests.count("tvdb", status=401) == 0


async def test_an_outage_of_weeks_is_asked_for_in_weeks_and_the_newest_before_all() -> None:
    clock = ManualClock(datetime(2025, 9, 3, 12, tzinfo=UTC))
    async with Sandbox(clock=lambda: clock.now().timestamp(), monotonic=clock.monotonic) as sandbox:
        provider = TvdbProvider(settings(sandbox), RateLimit(1000, clock), clock)
        pages = [page async for page in provider.feeds[0].poll(None)]
        clock.advance(24 * 86_400)
        for number, days in (("371980", 20), ("78874", 9), ("73739", 3)):
            sandbox.catalogue.edit("tvdb", "status", target=number, time=(clock.now() - timedelta(days=days)).timestamp())
        sandbox.catalogue.edit("tvdb", "status", target=SCRUBS.id)
        events = [event async for page in provider.feeds[0].poll(pages[-1].cursor) for event in page.events]
        await provider.aclose()
        series = [event.data.entity.id for event in events if event.data.entity.type == "series"]
        # the second changed on the day before the outage, which is read again
        assert list(dict.fromkeys(series)) == [SCRUBS.id, "121361", "371980", "78874", "73739"]
        asked = [
            parse_qs(request.path.partition("?")[2]) for request in sandbox.requests.recent if "updated/query" in request.path
        ]
        assert all(int(query["toTime"][0]) - int(query["fromTime"][0]) <= 7 * 86_400 for query in asked)


async def test_each_language_is_asked_for_and_one_that_there_is_no_translation_of_is_reported_and_not_fatal(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "producers.tvdb")
    provider = TvdbProvider(settings(sandbox, languages=["en", "de", "ja"]), RateLimit(1000))
    answer = await provider.fetch(SCRUBS)
    await provider.aclose()
    assert isinstance(answer, Fetched)
    assert not answer.partial
    assert "did not understand" in caplog.text
    assert {name.partition("@")[2] for name in answer.fields if "@" in name} >= {"de"}


async def test_a_wrong_key_is_told_as_such(sandbox: Sandbox) -> None:
    provider = TvdbProvider(settings(sandbox, apikey="wrong"), RateLimit(1000))
    with pytest.raises(CredentialsRejected):
        await polled(provider)
    await provider.aclose()


async def test_a_gateway_page_and_a_cut_connection_are_asked_again(sandbox: Sandbox, tvdb: TvdbProvider) -> None:
    sandbox.faults.add(Fault.html("GET /tvdb/series/*"))
    sandbox.faults.add(Fault("GET /tvdb/series/*", reset=True))
    assert isinstance(await tvdb.fetch(SCRUBS), Fetched)


async def test_a_provider_that_stays_away_may_work_later(sandbox: Sandbox, tvdb: TvdbProvider) -> None:
    sandbox.faults.add(Fault("GET /tvdb/series/*/actors", times=None, status=500))
    with pytest.raises(ProviderUnavailable):
        await tvdb.fetch(SCRUBS)


async def test_old_pictures_have_their_language_and_thumbnails_that_are_served(sandbox: Sandbox, tvdb: TvdbProvider) -> None:
    before = await tvdb.fetch(SCRUBS)
    sandbox.quirks.tvdb_old_pictures = True
    after = await tvdb.fetch(SCRUBS)
    assert isinstance(before, Fetched)
    assert isinstance(after, Fetched)
    assert after.images == before.images
    assert any(image.language == "en" and image.thumbnail_url for image in after.images.values())

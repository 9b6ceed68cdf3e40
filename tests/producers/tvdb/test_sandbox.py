"""The provider against the sandbox: its login, its feed and its faults."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from changecast.sandbox import Fault, Sandbox
from producers.interface import Fetched
from producers.tvdb import TvdbProvider
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
    values = {"apikey": sandbox.credentials.tvdb_apikey, "base_url": f"{sandbox.url}/tvdb", "timeout": "500ms", **changed}
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

"""Every kind of trouble, at every provider, to those who poll: what passes is got over, and what lasts ends the poll as what it is."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from changecast.sandbox import Sandbox
from producers.registry import REGISTRY
from runtime.clock import ManualClock
from runtime.http import BadResponse, CredentialsRejected, ProviderUnavailable
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from tests.producers.troubles import MAX_BODY_BYTES, NOWHERE, RETRY_AFTER_S, TIMEOUT_S, TROUBLES
from tests.producers.worlds import PROVIDERS, config_for, now

PASSING = [name for name, trouble in TROUBLES.items() if trouble.means is ProviderUnavailable]


@asynccontextmanager
async def polled(provider, sandbox, clock, **settings):
    """The first feed of the provider, over the sandbox."""
    limits = {"timeout": f"{TIMEOUT_S:g}s", "max_body_bytes": MAX_BODY_BYTES, **settings}
    config = config_for(sandbox.url, Cluster.at("127.0.0.1:1"), providers=(provider,), **limits)
    source = REGISTRY[provider](config.providers.configured()[provider], RateLimit(1000, clock), clock)
    try:
        yield source.feeds[0]
    finally:
        await source.aclose()


async def read(feed):
    return [event.subject for event in [event async for page in feed.poll(None) for event in page.events]]


async def set_aside(feed):
    """TMDB's lists have many pages: one that can't be read is set aside, and the cursor waits for it."""
    pages = [page async for page in feed.poll(None)]
    assert {page.cursor.read_to for page in pages} == {pages[0].cursor.read_to}
    return {item.reason for page in pages for item in page.broken}


@pytest.mark.parametrize("name", TROUBLES)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_trouble_that_lasts_ends_the_poll_as_what_it_is(provider, name):
    trouble = TROUBLES[name]
    async with Sandbox() as sandbox, polled(provider, sandbox, ManualClock(now())) as feed:
        sandbox.faults.add(trouble.of(provider))
        if provider == "tmdb" and trouble.means is BadResponse:
            assert await set_aside(feed) == {"bad-response"}
        else:
            with pytest.raises(trouble.means):
                await read(feed)
        # one request is tried four times at most, and none after it
        assert sandbox.requests.count(provider) <= 4


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_trouble_that_passes_is_got_over_within_the_poll(provider, name):
    clock = ManualClock(now())
    async with Sandbox() as sandbox, polled(provider, sandbox, clock) as feed:
        await read(feed)  # TheTVDB's login, which is asked for once a poll
        edit = sandbox.catalogue.edit(provider, {"tmdb": "movie-created"}.get(provider))
        clock.advance(5)
        sandbox.faults.add(TROUBLES[name].of(provider, times=2))
        assert edit.subject in await read(feed)
        assert not sandbox.faults.pending
        if name == "status 429 with a time":
            assert clock.monotonic() >= 2 * RETRY_AFTER_S


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_host_that_cannot_be_found_is_an_unavailable_provider(provider):
    async with Sandbox() as sandbox, polled(provider, sandbox, ManualClock(now()), base_url=NOWHERE) as feed:
        with pytest.raises(ProviderUnavailable, match="no-such-host"):
            await read(feed)


async def test_a_refused_key_is_not_tried_twice():
    async with Sandbox() as sandbox, polled("tmdb", sandbox, ManualClock(now())) as feed:
        sandbox.faults.add(TROUBLES["the key is refused"].of("tmdb"))
        with pytest.raises(CredentialsRejected):
            await read(feed)
        assert sandbox.requests.count("tmdb") == 1

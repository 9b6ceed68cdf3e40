"""Every kind of trouble to those who enrich: the entity is asked for again until it can be read, and none is given up while the
provider as a whole is away."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import pytest

from changecast.sandbox import Limits, Sandbox
from producers.interface import Fetched
from producers.registry import REGISTRY
from runtime.clock import ManualClock
from runtime.http import BadResponse, CredentialsRejected
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from schemas.event import Entity
from streams.reading import CREDENTIALS_RETRY_S, EntityReader, Failed, Patience, Question
from tests.producers.troubles import MAX_BODY_BYTES, NOWHERE, RETRY_AFTER_S, TIMEOUT_S, TROUBLES, FailsFor
from tests.producers.worlds import config_for, now

MOVIE = Entity(type="movie", native_type="movie", id="550")
PATIENCE = Patience(settle=timedelta())
TEN_MINUTES_S = 600


@asynccontextmanager
async def enriching(sandbox, clock, **settings):
    """A reader of TMDB's entities, as the streams worker has it: each request is tried once."""
    limits = {"timeout": f"{TIMEOUT_S:g}s", "max_body_bytes": MAX_BODY_BYTES, **settings}
    config = config_for(sandbox.url, Cluster.at("127.0.0.1:1"), providers=("tmdb",), **limits)
    provider = REGISTRY["tmdb"](config.providers.configured()["tmdb"], RateLimit(1000, clock), clock, attempts=1)
    try:
        yield EntityReader(provider, PATIENCE, clock=clock, random=Random(1))
    finally:
        await provider.aclose()


@pytest.mark.parametrize("name", TROUBLES)
async def test_an_entity_is_asked_for_again_until_the_trouble_has_passed(name):
    clock = ManualClock(now())
    async with Sandbox() as sandbox, enriching(sandbox, clock) as reader:
        sandbox.faults.add(TROUBLES[name].of("tmdb", times=2))
        answer = await reader.read(Question(MOVIE, now()))
        assert isinstance(answer, Fetched)
        assert answer.entity.name == "Fight Club"
        assert not sandbox.faults.pending
    if TROUBLES[name].means is CredentialsRejected:
        assert clock.monotonic() >= CREDENTIALS_RETRY_S
    if name == "status 429 with a time":
        assert clock.monotonic() >= RETRY_AFTER_S


@pytest.mark.parametrize("name", [name for name, trouble in TROUBLES.items() if trouble.means is BadResponse])
async def test_answers_that_stay_unreadable_end_with_the_budget(name):
    clock = ManualClock(now())
    async with Sandbox() as sandbox, enriching(sandbox, clock) as reader:
        sandbox.faults.add(TROUBLES[name].of("tmdb"))
        assert isinstance(await reader.read(Question(MOVIE, now())), Failed)
    assert PATIENCE.retry_budget.total_seconds() < clock.monotonic() < 4 * PATIENCE.retry_budget.total_seconds()


async def test_ten_minutes_of_500_give_up_no_entity_and_cost_few_requests():
    clock = ManualClock(now())
    async with Sandbox(limits=Limits(tmdb_per_second=10_000)) as sandbox, enriching(sandbox, clock) as reader:
        movies = [sandbox.catalogue.edit("tmdb", "movie-created").subject.split(":")[2] for _ in range(50)]
        sandbox.faults = FailsFor(clock, TEN_MINUTES_S)
        entities = [Entity(type="movie", native_type="movie", id=movie) for movie in movies]
        answers = await asyncio.gather(*(reader.read(Question(entity, now())) for entity in entities))
        assert all(isinstance(answer, Fetched) for answer in answers)
        assert clock.monotonic() >= TEN_MINUTES_S
        assert sandbox.requests.count("tmdb", status=500) < TEN_MINUTES_S / 2


async def test_an_entity_waits_while_the_host_cannot_be_found():
    clock = ManualClock(now())
    async with Sandbox() as sandbox, enriching(sandbox, clock, base_url=NOWHERE) as reader:
        reading = asyncio.create_task(reader.read(Question(MOVIE, now())))
        while clock.monotonic() < TEN_MINUTES_S:
            assert not reading.done()
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

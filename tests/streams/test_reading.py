from __future__ import annotations

import asyncio
from datetime import timedelta
from random import Random

import pytest

from producers.interface import Fetched, Refused
from runtime.clock import ManualClock
from runtime.http import BadResponse, CredentialsRejected, ProviderUnavailable
from schemas.event import Entity
from streams.reading import SEEMS_AWAY, EntityReader, Failed, Patience, Question
from tests.streams.memory import BEGINNING, MemoryProvider

MOVIE = Entity(type="movie", native_type="movie", id="550")
OTHER = Entity(type="movie", native_type="movie", id="551")


@pytest.fixture
def clock():
    return ManualClock(BEGINNING)


class Provider(MemoryProvider):
    """Answers from a script, one answer a question, with the clock's time."""

    def __init__(self, clock, script):
        super().__init__()
        self.clock, self.script, self.asked_at = clock, script, []

    async def fetch(self, entity):
        self.asked_at.append(self.clock.monotonic())
        answer = self.script(entity, len(self.asked_at))
        if isinstance(answer, Exception):
            raise answer
        return answer


def fetched(clock, entity=MOVIE, *, comparable=False):
    return Fetched(entity=entity, fetched_at=clock.now(), comparable=comparable)


async def test_an_entity_is_read_no_earlier_than_its_event_has_settled(clock):
    provider = Provider(clock, lambda entity, _: fetched(clock))
    await EntityReader(provider, clock=clock).read(Question(MOVIE, BEGINNING))
    assert provider.asked_at == [5.0]


async def test_an_event_from_a_clock_far_ahead_waits_no_longer_than_the_margin(clock):
    provider = Provider(clock, lambda entity, _: fetched(clock))
    await EntityReader(provider, clock=clock).read(Question(MOVIE, BEGINNING + timedelta(hours=3)))
    assert provider.asked_at == [5.0]


async def test_an_event_settles_on_the_providers_clock_once_that_is_known(clock):
    behind = timedelta(hours=1)
    provider = Provider(clock, lambda entity, _: Fetched(entity, clock.now() - behind))
    reader = EntityReader(provider, clock=clock)
    await reader.read(Question(OTHER, BEGINNING - behind - timedelta(minutes=1)))
    await reader.read(Question(MOVIE, BEGINNING - behind))
    assert provider.asked_at == [0.0, 5.0]


@pytest.mark.parametrize("ahead", [0, 1, -1])
async def test_what_was_read_too_early_by_the_providers_clock_is_read_again_when_it_has_settled(clock, ahead):
    """Our clock is an hour ahead of it, which the first answer tells. A step of the header's clock is not too early."""
    behind = timedelta(hours=1)
    provider = Provider(clock, lambda entity, _: Fetched(entity, clock.now() - behind))
    newest = BEGINNING - behind - timedelta(seconds=3 - ahead)
    answer = await EntityReader(provider, clock=clock).read(Question(MOVIE, newest))
    assert isinstance(answer, Fetched)
    assert provider.asked_at == [0.0, 2.0 + ahead][: 2 if ahead >= 0 else 1]
    assert answer.fetched_at - newest >= timedelta(seconds=4)


async def test_a_second_event_that_the_first_fetch_covers_needs_no_fetch(clock):
    provider = Provider(clock, lambda entity, _: fetched(clock))
    reader = EntityReader(provider, clock=clock)
    clock.advance(60)
    await reader.read(Question(MOVIE, BEGINNING))
    await reader.read(Question(MOVIE, BEGINNING + timedelta(seconds=50)))
    assert len(provider.asked_at) == 1


async def test_a_failure_that_passes_is_asked_again(clock):
    provider = Provider(clock, lambda entity, n: ProviderUnavailable("away") if n < 4 else fetched(clock))
    answer = await EntityReader(provider, clock=clock, random=Random(1)).read(Question(MOVIE, BEGINNING))
    assert isinstance(answer, Fetched)
    assert len(provider.asked_at) == 4


async def test_while_the_whole_provider_is_away_an_entity_waits_beyond_its_budget(clock):
    provider = Provider(clock, lambda entity, n: ProviderUnavailable("away") if n < 100 else fetched(clock))
    answer = await EntityReader(provider, clock=clock, random=Random(1)).read(Question(MOVIE, BEGINNING))
    assert isinstance(answer, Fetched)
    assert clock.monotonic() > 300


async def test_an_entity_that_fails_while_others_are_answered_has_a_budget(clock):
    provider = Provider(
        clock, lambda entity, n: ProviderUnavailable("broken entity") if entity == MOVIE else fetched(clock, OTHER)
    )
    reader = EntityReader(provider, Patience(timedelta(0), retry_budget=timedelta(seconds=60)), clock=clock, random=Random(1))

    async def others():
        while True:
            await reader.read(Question(OTHER, clock.now()))
            await clock.sleep(0.1)

    background = asyncio.create_task(others())
    answer = await reader.read(Question(MOVIE, BEGINNING))
    background.cancel()
    assert answer == Failed("broken entity")
    assert clock.monotonic() > 60


async def test_retry_after_is_obeyed(clock):
    provider = Provider(clock, lambda entity, n: ProviderUnavailable("busy", retry_after=42) if n == 1 else fetched(clock))
    await EntityReader(provider, Patience(timedelta(0)), clock=clock).read(Question(MOVIE, BEGINNING))
    assert provider.asked_at[1] - provider.asked_at[0] >= 42


async def test_rejected_credentials_are_tried_again_slowly_and_lose_nothing(clock):
    provider = Provider(clock, lambda entity, n: CredentialsRejected("401") if n < 3 else fetched(clock))
    answer = await EntityReader(provider, Patience(timedelta(0)), clock=clock).read(Question(MOVIE, BEGINNING))
    assert isinstance(answer, Fetched)
    assert clock.monotonic() >= 120


async def test_a_403_of_an_entity_that_was_readable_is_asked_again_after_15_minutes(clock):
    provider = Provider(
        clock, lambda entity, n: Refused(MOVIE, forbidden=True, fetched_at=clock.now()) if n == 1 else fetched(clock)
    )
    answer = await EntityReader(provider, Patience(timedelta(0)), clock=clock).read(Question(MOVIE, BEGINNING, was_readable=True))
    assert isinstance(answer, Fetched)
    assert provider.asked_at == [0.0, 900.0]


async def test_a_403_of_an_entity_that_never_was_readable_is_an_answer_at_once(clock):
    provider = Provider(clock, lambda entity, n: Refused(MOVIE, forbidden=True, fetched_at=clock.now()))
    answer = await EntityReader(provider, Patience(timedelta(0)), clock=clock).read(Question(MOVIE, BEGINNING))
    assert isinstance(answer, Refused)
    assert len(provider.asked_at) == 1


async def test_an_entity_that_is_answered_with_nonsense_has_a_budget_even_alone(clock):
    provider = Provider(clock, lambda entity, n: BadResponse("not JSON", b"<html>"))
    answer = await EntityReader(provider, Patience(timedelta(0)), clock=clock, random=Random(1)).read(Question(MOVIE, BEGINNING))
    assert answer == Failed("not JSON")
    assert 60 < clock.monotonic() < 200


async def test_while_the_provider_is_away_one_entity_at_a_time_asks(clock):
    asking, most = 0, 0

    class Away(MemoryProvider):
        async def fetch(self, entity):
            nonlocal asking, most
            asking += 1
            if len(self.asked) >= 2 * SEEMS_AWAY:
                most = max(most, asking)
            self.asked.append(entity.id)
            await asyncio.sleep(0)
            asking -= 1
            if len(self.asked) < 3 * SEEMS_AWAY:
                raise ProviderUnavailable("connection refused")
            return fetched(clock, entity)

    reader = EntityReader(Away(), Patience(timedelta(0)), clock=clock, random=Random(1))
    entities = [Entity(type="movie", native_type="movie", id=str(n)) for n in range(3 * SEEMS_AWAY)]
    answers = await asyncio.gather(*(reader.read(Question(entity, BEGINNING)) for entity in entities))
    assert all(isinstance(answer, Fetched) for answer in answers)
    assert most == 1

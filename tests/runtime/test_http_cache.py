from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import ManualClock
from runtime.http_cache import freshness
from tests.runtime.serving import NOW, in_turn, served

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)
DATE = "Tue, 21 Jan 2025 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "received_after", "as_of_after", "cached"),
    [
        ({"date": DATE}, 5, 0, False),
        ({"date": DATE, "age": "0"}, 5, 0, False),
        ({"date": DATE, "age": "3600"}, 3600, 0, True),
        ({"date": DATE, "age": "3600"}, 10, -3590, True),
        ({"date": DATE, "age": "10"}, 3600, 0, True),
        ({"date": DATE, "age": "10, 70"}, 20, -50, True),
        ({"age": "60"}, 60, 0, True),
        ({"date": DATE, "x-cache": "Hit from cloudfront"}, 5, 0, True),
        ({"date": DATE, "x-cache": "RefreshHit from cloudfront"}, 5, 0, True),
        ({"date": DATE, "x-cache": "Miss from cloudfront"}, 5, 0, False),
        ({"date": DATE, "x-cache": "Error from cloudfront"}, 5, 0, False),
        ({"date": DATE, "x-memc": "HIT"}, 5, 0, True),
        ({"date": DATE, "x-memc": "MISS, STORE"}, 5, 0, False),
        ({"date": DATE, "age": "-5"}, 5, 0, False),
        ({"date": DATE, "age": "soon"}, 5, 0, False),
        ({}, 5, 5, False),
        ({"date": "Fri, 31 Dec 9999 23:59:59 GMT"}, 5, 5, False),
        ({"date": "Mon, 01 Jan 0100 00:00:00 GMT"}, 5, 5, False),
        ({"date": "Fri, 31 Dec 9999 23:59:59 GMT", "age": "60"}, 60, 0, True),
    ],
)
def test_a_state_is_as_old_as_date_and_age_say(
    headers: dict[str, str], received_after: int, as_of_after: int, cached: bool
) -> None:
    state = freshness(headers, NOON + timedelta(seconds=received_after))
    assert ((state.as_of - NOON).total_seconds(), state.cached) == (as_of_after, cached)


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"age": "100", "cache-control": "public, max-age=600"}, 500),
        ({"age": "700", "cache-control": "max-age=600"}, 0),
        ({"age": "100", "cache-control": "s-max-age=600"}, None),
        ({"age": "100"}, None),
        ({"cache-control": "max-age=600"}, None),
    ],
)
def test_when_a_cache_asks_again(headers: dict[str, str], left: float | None) -> None:
    assert freshness(headers, NOON).expires_in_s == left


@given(st.dictionaries(st.sampled_from(["date", "age", "x-cache", "x-memc", "cache-control"]), st.text(max_size=30)))
def test_nothing_that_a_header_says_raises(headers: dict[str, str]) -> None:
    freshness(headers, NOON)


async def test_the_providers_clock_is_told_by_answers_that_no_cache_kept() -> None:
    clock = ManualClock(NOW)
    ahead = timedelta(minutes=15)

    def answer(date: datetime, **headers: str) -> web.Response:
        return web.json_response({}, headers={"Date": date.strftime("%a, %d %b %Y %H:%M:%S GMT"), **headers})

    answers = in_turn(
        lambda: answer(clock.now() - timedelta(hours=5), Age="18000"),
        lambda: answer(clock.now() + ahead),
        lambda: answer(clock.now() - timedelta(hours=5), Age="18000"),
    )
    async with served(answers, clock=clock) as (http, _):
        assert (await http.get("x")).cached
        assert http.now() == clock.now()
        assert (await http.get("x")).date == clock.now() + ahead
        assert http.now() == clock.now() + ahead
        assert (await http.get("x")).date == clock.now() - timedelta(hours=5)
        assert http.now() == clock.now() + ahead

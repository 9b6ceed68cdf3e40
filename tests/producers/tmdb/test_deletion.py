"""Entities that TMDB does not find: which of them are published as deleted, and how often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web

from producers.tmdb.departures import KEPT, Departure, Departures
from tests.producers.answering import NOT_ITS_OWN, json_answer
from tests.producers.tmdb.catalogue import NOON, Reader, error_answer, tmdb

QUARTER_S = 900
DAY_S = 86_400


@asynccontextmanager
async def watching(movies: int = 1) -> AsyncIterator[tuple[Reader, set[int]]]:
    """A day on which so many movies were edited, polled once; those whose ids stand in the set are not found, by either route."""
    gone: set[int] = set()

    def not_found(request: web.Request) -> web.Response | None:
        parts = request.path.strip("/").split("/")
        is_gone = parts[0] == "movie" and len(parts) > 1 and parts[1].isdigit() and int(parts[1]) in gone
        return error_answer(34) if is_gone else None

    async with tmdb(interval="10m") as reader:
        for entity_id in range(1, movies + 1):
            reader.catalogue.edit("movie", entity_id)
        await reader.poll()
        assert len(reader.events) == movies
        reader.catalogue.overrides.append(not_found)
        yield reader, gone


async def later(reader: Reader, hours: float) -> list[tuple[str, str]]:
    """The type's end and the id of what is published within these hours."""
    published = []
    for _ in range(int(hours * 4)):
        reader.clock.advance(QUARTER_S)
        published += [(event.type.rpartition(".")[2], event.id) for event in await reader.poll()]
    return published


async def test_a_movie_that_is_gone_is_published_once_over_the_days_on_which_it_is_listed() -> None:
    async with watching(3) as (reader, gone):
        gone.add(2)
        assert await later(reader, 0.25) == []
        assert await later(reader, 6) == [("deleted", "tmdb:movie:2:gone:2025-01-20")]
        reader.catalogue.edit("movie", 2, time=NOON + timedelta(days=1))
        assert await later(reader, 30) == []


async def test_a_restart_does_not_publish_a_deletion_again() -> None:
    async with watching(3) as (reader, gone):
        gone.add(2)
        assert len(await later(reader, 2)) == 1
        again = reader.reborn(interval="10m")
        assert await later(again, 4) == []


@pytest.mark.parametrize("body", NOT_ITS_OWN)
async def test_a_gateways_404_for_hours_deletes_nothing(body: bytes) -> None:
    async with watching(30) as (reader, _):
        ill = [lambda request: web.Response(status=404, body=body) if "/movie/" in request.path else None]
        sound, reader.catalogue.overrides = reader.catalogue.overrides, ill
        for _ in range(8):
            reader.clock.advance(QUARTER_S)
            await reader.poll_in_trouble()
        reader.catalogue.overrides = sound
        assert await later(reader, 2) == []


async def test_a_provider_that_finds_nothing_any_more_deletes_nothing() -> None:
    async with watching(300) as (reader, gone):
        gone.update(range(1, 301))
        assert await later(reader, 3) == []
        gone.clear()
        assert await later(reader, 2) == []


async def test_a_true_clean_up_is_published() -> None:
    async with watching(100) as (reader, gone):
        gone.update(range(1, 47))
        published = await later(reader, 2)
        assert sorted(published) == sorted(("deleted", f"tmdb:movie:{number}:gone:2025-01-20") for number in range(1, 47))


async def test_a_movie_whose_details_are_there_is_not_deleted() -> None:
    async with watching(3) as (reader, _):
        reader.catalogue.documents["movie/2"] = {"id": 2, "title": "Two"}
        reader.catalogue.overrides = [lambda request: error_answer(34) if request.path == "/movie/2/changes" else None]
        assert await later(reader, 6) == []
        reader.catalogue.missing.add(2)
        assert await later(reader, 1) == [("deleted", "tmdb:movie:2:gone:2025-01-20")], "the list is a witness too"


async def test_a_cached_answer_is_no_witness() -> None:
    async with watching(3) as (reader, _):

        def cached(request: web.Request) -> web.Response | None:
            return (
                error_answer(34, **({"Age": "500"} if request.path == "/movie/2" else {})) if "/movie/2" in request.path else None
            )

        reader.catalogue.overrides = [cached]
        assert await later(reader, 6) == []


async def test_the_only_movie_of_a_watch_list_is_deleted_while_another_route_answers() -> None:
    async with tmdb(watch={"movie": [550], "tv": "none", "person": "none"}, interval="10m") as reader:
        reader.catalogue.edit("movie", 550)
        await reader.poll()
        reader.catalogue.overrides = [lambda request: error_answer(34)]
        assert await later(reader, 2) == [], "nothing is found at all"
        reader.catalogue.overrides = [lambda request: error_answer(34) if "/movie/550" in request.path else None]
        assert [word for word, _ in await later(reader, 1)] == ["deleted"]


async def test_a_movie_that_is_back_is_created_and_may_be_deleted_again_with_an_id_of_its_own() -> None:
    async with watching(3) as (reader, gone):
        gone.add(2)
        assert await later(reader, 1) == [("deleted", "tmdb:movie:2:gone:2025-01-20")]
        gone.clear()
        assert await later(reader, 1) == [("created", "tmdb:movie:2:back:2025-01-20")]
        gone.add(2)
        assert await later(reader, 1) == [("deleted", "tmdb:movie:2:gone:2025-01-20:2")]
        again = reader.reborn(interval="10m")
        gone.clear()
        assert await later(again, 1) == [("created", "tmdb:movie:2:back:2025-01-20:2")]


def test_departures_remember_the_latest() -> None:
    departures = Departures()
    for entity_id in range(KEPT + 5):
        departures.left(entity_id, Departure(NOON.date()))
    assert departures.told(4) is None
    assert departures.told(5) == Departure(NOON.date())
    assert Departures(departures.as_json()).as_json() == departures.as_json()


async def test_a_list_that_is_empty_over_a_count_is_trouble() -> None:
    async with watching(3) as (reader, _):
        reader.catalogue.overrides = [
            lambda request: (
                json_answer({"results": [], "page": 1, "total_pages": 3, "total_results": 250})
                if request.path == "/movie/changes"
                else None
            )
        ]
        assert "empty" in str(await reader.poll_in_trouble())

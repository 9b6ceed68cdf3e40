"""Entities and pages that fail: what is asked again, what is told as gone or missing, and what goes on meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from runtime.http import CredentialsRejected, ProviderUnavailable
from tests.producers.answering import json_answer
from tests.producers.tmdb.catalogue import NOON, error_answer, tmdb

DAY = timedelta(days=1)


async def test_a_listed_entity_that_stays_not_found_is_told_as_deleted() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 9)
        reader.catalogue.overrides.append(lambda request: error_answer(34) if "/movie/9/" in request.path else None)
        assert await reader.poll() == []
        reader.clock.advance(900)
        [event] = await reader.poll()
        assert event.type == "changecast.tmdb.movie.entity.deleted"
        assert event.subject == "tmdb:movie:9"


async def test_a_new_entity_that_is_not_yet_found_everywhere_is_asked_again() -> None:
    async with tmdb() as reader:
        item = reader.catalogue.edit("movie", 9)
        reader.catalogue.overrides = [lambda request: error_answer(34) if "/movie/9/" in request.path else None]
        assert await reader.poll() == []
        reader.catalogue.overrides = []
        assert [event.id for event in await reader.poll()] == [f"tmdb:movie:9:{item}"]


async def test_one_entity_that_fails_delays_no_other_and_holds_the_cursor() -> None:
    async with tmdb() as reader:
        for entity_id in range(1, 30):
            reader.catalogue.edit("movie", entity_id)
        ill = [lambda request: web.Response(status=500) if "/movie/29/" in request.path else None]
        reader.catalogue.overrides = ill
        assert len(await reader.poll()) == 28
        assert reader.cursor is not None
        assert reader.cursor.read_to <= NOON
        reader.catalogue.edit("movie", 1, "title")
        assert len(await reader.poll()) == 1
        reader.catalogue.overrides = []
        assert [event.subject for event in await reader.poll()] == ["tmdb:movie:29"]


async def test_an_entity_that_gives_no_answer_for_a_day_is_told_as_a_gap() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 1)
        reader.catalogue.edit("movie", 2)
        ill = [lambda request: web.Response(status=500) if "/movie/2/" in request.path else None]
        reader.catalogue.overrides = ill
        await reader.poll()
        reader.clock.advance(86400)
        [gap] = await reader.poll()
        assert gap.data.changes[0].after["entity"] == "tmdb:movie:2"
        assert reader.cursor is not None
        assert reader.cursor.read_to > NOON


async def test_an_episode_that_fails_keeps_nothing_else_of_its_series_back() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit_episode(1399, 3624, 63057, (1, 2))
        reader.catalogue.edit_episode(1399, 3624, 63058, (1, 3))
        ill = [lambda request: web.Response(status=500) if "/63058/" in request.path else None]
        reader.catalogue.overrides = ill
        assert [event.subject for event in await reader.poll("tv")] == ["tmdb:episode:63057"]
        reader.catalogue.overrides = []
        assert [event.subject for event in await reader.poll("tv")] == ["tmdb:episode:63058"]


async def test_a_provider_that_is_away_ends_the_poll() -> None:
    async with tmdb() as reader:
        for entity_id in range(1, 100):
            reader.catalogue.edit("movie", entity_id)
        reader.catalogue.overrides = [lambda request: None if request.path == "/movie/changes" else web.Response(status=503)]
        with pytest.raises(ProviderUnavailable):
            await reader.poll()
        assert len(reader.asked("/movie/")) < 100


async def test_a_rejected_token_ends_the_poll() -> None:
    async with tmdb() as reader:
        reader.catalogue.overrides = [lambda request: error_answer(7)]
        with pytest.raises(CredentialsRejected):
            await reader.poll()


async def test_429_without_retry_after_is_waited_out() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)
        left = [2]

        def over(request: web.Request) -> web.Response | None:
            left[0] -= 1
            return error_answer(25) if left[0] >= 0 else None

        reader.catalogue.overrides.append(over)
        assert len(await reader.poll()) == 1


async def test_null_and_repeated_ids_of_a_list_spoil_nothing_and_are_set_aside_once() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)

        def odd(request: web.Request) -> web.Response | None:
            if request.path != "/movie/changes":
                return None
            results = [{"id": None, "adult": None}, {"id": 550, "adult": None}, {"id": 550}, {"adult": False}, "?"]
            return json_answer({"results": results, "page": 1, "total_pages": 1, "total_results": 1})

        reader.catalogue.overrides.append(odd)
        for _ in range(3):
            await reader.poll()
        assert [event.subject for event in reader.events] == ["tmdb:movie:550"]
        assert {item.reason for item in reader.broken} == {"no-entity-id"}
        # three kinds of entries without an id, in each of the two days' lists
        assert len(reader.broken) == 6
        assert len(set(reader.asked("/movie/550/changes"))) <= 2


async def test_a_bad_item_is_set_aside_once_and_the_others_go_on() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550, "title")
        reader.catalogue.edit("movie", 550, action=None)
        for _ in range(3):
            await reader.poll()
        assert [event.type for event in reader.events] == ["changecast.tmdb.movie.title.updated"]
        [broken] = reader.broken
        assert broken.reason == "bad-item"
        assert b'"action":null' in broken.body


async def test_a_list_page_that_is_no_json_is_set_aside_and_the_cursor_waits() -> None:
    async with tmdb() as reader:
        for entity_id in range(1, 11):
            reader.catalogue.edit("movie", entity_id)
        reader.catalogue.page_size = 5

        def html(request: web.Request) -> web.Response | None:
            bad = request.path == "/movie/changes" and request.query["page"] == "2"
            return web.Response(text="<html>Oops</html>", content_type="text/html") if bad else None

        reader.catalogue.overrides = [html]
        assert len(await reader.poll()) == 5
        assert {item.reason for item in reader.broken} == {"bad-response"}
        assert {item.body for item in reader.broken} == {b"<html>Oops</html>"}
        assert reader.cursor is not None
        assert reader.cursor.read_to == NOON - DAY
        reader.catalogue.overrides = []
        assert len(await reader.poll()) == 5
        assert reader.cursor.read_to > NOON - DAY


def failing(*entity_ids: int) -> list[Any]:
    paths = {f"/movie/{entity_id}/changes" for entity_id in entity_ids}
    return [lambda request: web.Response(status=500) if request.path in paths else None]


async def test_new_entities_that_keep_failing_do_not_stop_the_sweep_of_the_others() -> None:
    async with tmdb(interval="10m") as reader:
        for entity_id in range(1, 30):
            reader.catalogue.edit("movie", entity_id)
        await reader.poll()
        sick = range(100, 116)
        for entity_id in sick:
            reader.catalogue.edit("movie", entity_id)
        reader.catalogue.overrides = failing(*sick)
        for hour in range(3):
            reader.clock.advance(3600)
            items = {reader.catalogue.edit("movie", entity_id, f"key{hour}") for entity_id in range(1, 30)}
            for _ in range(3):
                await reader.poll_in_trouble()
            told = {event.id.rpartition(":")[2] for event in reader.events}
            assert items <= told, hour


async def test_patience_with_an_entity_outlasts_restarts() -> None:
    async with tmdb(interval="10m") as reader:
        for entity_id in (1, 2):
            reader.catalogue.edit("movie", entity_id)
        reader.catalogue.overrides = failing(2)
        for _ in range(26):
            await reader.poll()
            reader.clock.advance(3600)
            reader = reader.reborn(interval="10m")
        gaps = [event for event in reader.events if event.type.endswith("gap.updated") or ".gap" in event.type]
        assert [gap.data.changes[0].after["entity"] for gap in gaps] == ["tmdb:movie:2"]


async def test_a_list_page_that_stays_unreadable_is_a_gap_after_a_day_and_the_cursor_goes_on() -> None:
    async with tmdb(interval="10m") as reader:
        reader.catalogue.edit("movie", 1)

        def torn(request: web.Request) -> web.Response | None:
            torn_day = request.path == "/movie/changes" and request.query["start_date"] == "2025-01-21"
            return web.Response(text="<html>", content_type="text/html") if torn_day else None

        reader.catalogue.overrides = [torn]
        for hour in range(60):
            await reader.poll_in_trouble()
            reader.clock.advance(3600)
            if hour % 5 == 0:
                reader = reader.reborn(interval="10m")
        gaps = {event.id for event in reader.events if ".gap" in event.type}
        assert len(gaps) == 1
        assert reader.cursor is not None
        assert reader.cursor.read_to > NOON + timedelta(hours=48)

"""Ids that are watched: asked directly, without TMDB's lists."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiohttp import web

from tests.producers.tmdb.catalogue import NOON, error_answer, tmdb

DAY = timedelta(days=1)

WATCHED = {"movie": [550], "tv": "none", "person": "none"}


def gone(request: web.Request) -> web.Response | None:
    return error_answer(34) if "/movie/550/" in request.path else None


async def test_watched_ids_are_asked_directly_and_no_list_is_read() -> None:
    async with tmdb(watch=WATCHED) as reader:
        assert [feed.name for feed in reader.provider.feeds] == ["movie"]
        reader.catalogue.edit("movie", 550)
        reader.catalogue.edit("movie", 551)
        assert [event.subject for event in await reader.poll()] == ["tmdb:movie:550"]
        assert reader.asked("/movie/changes") == []


@pytest.mark.parametrize("kind", ["movie", "tv", "person"])
async def test_each_kind_is_watched_whole_by_ids_or_not_at_all(kind: str) -> None:
    others = {"movie": "none", "tv": "none", "person": "none"}
    async with tmdb(watch={**others, kind: [7]}) as reader:
        reader.catalogue.edit(kind, 7)
        reader.catalogue.edit(kind, 8)
        assert [feed.name for feed in reader.provider.feeds] == [kind]
        assert [event.data.entity.id for event in await reader.poll(kind)] == ["7"]
    async with tmdb(watch={**others, kind: "all"}) as reader:
        reader.catalogue.edit(kind, 8)
        assert [feed.name for feed in reader.provider.feeds] == [kind]
        assert [event.data.entity.id for event in await reader.poll(kind)] == ["8"]


async def test_a_watched_series_is_followed_down_to_its_episodes() -> None:
    async with tmdb(watch={"movie": "none", "tv": [1399], "person": "none"}) as reader:
        reader.catalogue.edit_episode(1399, 3624, 63057, (1, 2))
        assert [event.subject for event in await reader.poll("tv")] == ["tmdb:episode:63057"]
        assert reader.asked("/tv/changes") == []


async def test_a_watched_id_is_asked_in_windows_for_the_whole_of_an_outage() -> None:
    async with tmdb(watch=WATCHED) as reader:
        await reader.poll()
        items = [reader.catalogue.edit("movie", 550, time=NOON + days * DAY) for days in range(0, 31, 3)]
        reader.clock.advance(30 * 86400 + 60)
        events = await reader.reborn(watch=WATCHED).poll()
        assert [event.id for event in events] == [f"tmdb:movie:550:{item}" for item in items]


async def test_a_watched_id_that_never_was_is_no_deletion() -> None:
    async with tmdb(watch={"movie": [404], "tv": "none", "person": "none"}) as reader:
        for _ in range(3):
            assert await reader.poll() == []
            reader.clock.advance(3600)


async def test_a_watched_id_that_was_there_and_is_gone_is_told_as_deleted_once_however_long_it_is_gone() -> None:
    async with tmdb(watch=WATCHED) as reader:
        reader.catalogue.edit("movie", 550)
        await reader.poll()
        reader.catalogue.overrides = [gone]
        for _ in range(3 * 24):
            await reader.poll()
            reader.clock.advance(3600)
        assert [event.type for event in reader.events[1:]] == ["changecast.tmdb.movie.entity.deleted"]


async def test_a_restart_does_not_forget_that_a_watched_id_was_there() -> None:
    async with tmdb(watch=WATCHED) as reader:
        reader.catalogue.edit("movie", 550)
        await reader.poll()
        reader.catalogue.overrides = [gone]
        reader.clock.advance(3600)
        again = reader.reborn(watch=WATCHED)
        await again.poll()
        reader.clock.advance(900)
        assert [event.type for event in await again.poll()] == ["changecast.tmdb.movie.entity.deleted"]
        reader.clock.advance(86400)
        third = again.reborn(watch=WATCHED)
        for _ in range(3):
            assert await third.poll() == []
            reader.clock.advance(3600)


async def test_a_watched_id_that_has_come_back_can_be_gone_again() -> None:
    async with tmdb(watch=WATCHED) as reader:
        reader.catalogue.edit("movie", 550)
        for _ in range(2):
            reader.catalogue.overrides = []
            await reader.poll()
            reader.catalogue.overrides = [gone]
            for _ in range(2):
                reader.clock.advance(86400)
                await reader.poll()
        assert [event.data.changes[0].action for event in reader.events[1:]] == ["deleted", "created", "deleted"]

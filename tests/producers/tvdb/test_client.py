"""Every route that a notifier can use, against the sandbox; and the shapes that only the real one has shown."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from changecast.sandbox import Sandbox
from producers.tvdb.client import TvdbClient
from producers.tvdb.login import Login
from producers.tvdb.models import EpisodeFilter, Missing, Record, SeriesAnswer, SeriesHead, SeriesSearch
from runtime.http import BadResponse
from tests.producers.answering import json_answer
from tests.producers.tvdb.thetvdb import NOON, client, thetvdb

SERIES = "76156"
NOBODY = "999999999"
EVER = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def tvdb(sandbox: Sandbox) -> AsyncIterator[TvdbClient]:
    async with client(f"{sandbox.url}/tvdb", login=Login(sandbox.credentials.tvdb_apikey)) as made:
        yield made


async def test_updates_of_a_window_and_none_outside(sandbox: Sandbox, tvdb: TvdbClient) -> None:
    sandbox.catalogue.edit("tvdb", "status", target=SERIES)
    now = datetime.now(UTC)
    updates = await tvdb.updated(now - timedelta(hours=1), now + timedelta(minutes=1))
    assert [update.series_id for update in updates.updates] == [SERIES]
    assert abs(updates.updates[0].time - now) < timedelta(seconds=10)
    assert (await tvdb.updated(EVER, EVER + timedelta(days=7))).updates == ()


async def test_a_series(tvdb: TvdbClient) -> None:
    answer = await tvdb.series(SERIES, "en")
    assert isinstance(answer, SeriesAnswer)
    assert answer.series.id == SERIES
    assert answer.series.text("seriesName")
    assert answer.series.text("overview")
    assert abs(answer.date - datetime.now(UTC)) < timedelta(seconds=10)


async def test_a_series_that_is_not_there(tvdb: TvdbClient) -> None:
    for answer in (await tvdb.series(NOBODY, "en"), await tvdb.series_head(NOBODY), await tvdb.episode(NOBODY, "en")):
        assert isinstance(answer, Missing)
        assert not answer.forbidden
    assert (await tvdb.episodes(NOBODY, 1, "en")).records == ()
    assert (await tvdb.actors(NOBODY)).records == ()
    assert await tvdb.image_kinds(NOBODY, "en") == ()
    assert await tvdb.image_counts(NOBODY) == {}
    assert (await tvdb.images(NOBODY, "poster", "en")).pictures == ()
    assert await tvdb.series_filter(NOBODY, ["slug"], "en") == {}
    assert await tvdb.episodes_summary(NOBODY) is None


async def test_when_a_series_was_last_modified_by_its_head(sandbox: Sandbox, tvdb: TvdbClient) -> None:
    sandbox.catalogue.edit("tvdb", "status", target=SERIES)
    head = await tvdb.series_head(SERIES)
    assert isinstance(head, SeriesHead)
    assert head.last_modified is not None
    assert abs(head.last_modified - datetime.now(UTC)) < timedelta(seconds=10)


async def test_some_attributes_of_a_series(tvdb: TvdbClient) -> None:
    assert set(await tvdb.series_filter(SERIES, ["slug", "network"], "en")) == {"slug", "network"}


async def test_a_pages_episodes_and_one_of_them_in_full(tvdb: TvdbClient) -> None:
    page = await tvdb.episodes(SERIES, 1, "en")
    assert page.records
    assert page.broken == ()
    episode = await tvdb.episode(page.records[0].id, "en")
    assert isinstance(episode, Record)
    assert episode.text("episodeName") == page.records[0].text("episodeName")


async def test_episodes_by_season_and_number(tvdb: TvdbClient) -> None:
    found = await tvdb.episodes_query(SERIES, EpisodeFilter(aired_season=1, aired_episode=1), "en")
    assert [record.attributes["airedEpisodeNumber"] for record in found.records] == [1]
    assert (await tvdb.episodes_query(SERIES, EpisodeFilter(aired_season=77), "en")).records == ()


async def test_the_summary_of_episodes(tvdb: TvdbClient) -> None:
    summary = await tvdb.episodes_summary(SERIES)
    assert summary is not None
    assert summary.aired_episodes > 0
    assert "1" in summary.aired_seasons


async def test_images_by_kind_and_their_counts(sandbox: Sandbox, tvdb: TvdbClient) -> None:
    sandbox.catalogue.edit("tvdb", "poster-added", target=SERIES)
    kinds = {kind.key_type: kind for kind in await tvdb.image_kinds(SERIES, "en")}
    counts = await tvdb.image_counts(SERIES)
    posters = (await tvdb.images(SERIES, "poster", "en")).pictures
    assert len(posters) == counts["poster"] > 0
    assert {poster.key_type for poster in posters} == {"poster"}
    resolution = kinds["poster"].resolutions[0]
    some = (await tvdb.images(SERIES, "poster", "en", resolution=resolution)).pictures
    assert {poster.resolution for poster in some} == {resolution}
    none = (await tvdb.images(SERIES, "poster", "en", sub_key="no such key")).pictures
    assert none == ()


async def test_actors(sandbox: Sandbox, tvdb: TvdbClient) -> None:
    sandbox.catalogue.edit("tvdb", "actor-added", target=SERIES)
    assert all(actor.text("name") for actor in (await tvdb.actors(SERIES)).records)


async def test_languages_and_one_of_them(tvdb: TvdbClient) -> None:
    languages = {language.abbreviation: language for language in await tvdb.languages()}
    english = languages["en"]
    assert english.english_name == "English"
    assert await tvdb.language(english.id) == english
    assert await tvdb.language(12345678) is None


async def test_a_search_by_slug(tvdb: TvdbClient) -> None:
    answer = await tvdb.series(SERIES, "en")
    assert isinstance(answer, SeriesAnswer)
    found = await tvdb.search_series(SeriesSearch(slug=answer.series.text("slug")), "en")
    assert [record.id for record in found.records] == [SERIES]
    assert (await tvdb.search_series(SeriesSearch(name="no such series"), "en")).records == ()


async def test_what_each_query_may_be_asked_for(tvdb: TvdbClient) -> None:
    assert "fromTime" in await tvdb.updated_params()
    assert "seriesName" in await tvdb.series_filter_params(SERIES)
    assert "airedSeason" in await tvdb.episodes_query_params(SERIES)
    assert "imdbId" in await tvdb.search_series_params()


def test_only_what_is_asked_for_is_sent() -> None:
    assert EpisodeFilter(aired_season=0, dvd_episode=1.5, page=2).as_query() == {
        "airedSeason": "0",
        "dvdEpisode": "1.5",
        "page": "2",
    }
    assert SeriesSearch(imdb_id="tt1").as_query() == {"imdbId": "tt1"}


async def test_requests_name_the_version_and_one_language() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = {"/series/5": {"data": {"id": 5}}}
        await tvdb.series("5", "de")
        headers = served.server.headers[-1]
        assert headers["Accept"] == "application/vnd.thetvdb.v3.0.0"
        assert headers["Accept-Language"] == "de"


async def test_errors_beside_the_data_are_logged_once_and_the_data_is_used(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        errors = {"invalidQueryParams": ["lang"], "invalidLanguage": "none", "invalidFilters": None}
        served.answers = {"/series/5": {"data": {"id": 5}, "errors": errors}}
        for _ in range(3):
            assert isinstance(await tvdb.series("5", "en"), SeriesAnswer)
    assert caplog.text.count("invalid language: none; invalid query parameters: lang") == 1


async def test_an_item_that_can_not_be_read_spoils_no_list() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        items: list[Any] = [{"id": 1, "lastUpdated": 17}, {"id": None, "lastUpdated": 17}, "?", {"id": 2, "lastUpdated": "x"}]
        served.answers = {"/updated/query": {"data": [*items, {"id": "3", "lastUpdated": "18"}]}}
        updates = await tvdb.updated(NOON, NOON)
        assert [update.series_id for update in updates.updates] == ["1", "3"]
        assert [item.reason for item in updates.broken] == ["no-entity-id", "bad-item", "bad-item"]
        assert updates.broken[0].body == b'{"id":null,"lastUpdated":17}'


async def test_updates_come_oldest_first_and_each_once() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        items = [{"id": 9, "lastUpdated": 30}, {"id": 8, "lastUpdated": 10}, {"id": 9, "lastUpdated": 30}]
        served.answers = {"/updated/query": {"data": items}}
        assert [update.last_updated for update in (await tvdb.updated(NOON, NOON)).updates] == [10, 30]


async def test_a_null_list_is_none() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = {"/updated/query": {"data": None}, "/series/5/actors": {"data": None}}
        assert (await tvdb.updated(NOON, NOON)).updates == ()
        assert (await tvdb.actors("5")).records == ()


@pytest.mark.parametrize("body", [{}, [], {"data": 5}, {"data": {"id": 1}}, "x", None])
async def test_an_answer_of_another_shape_is_a_bad_response_with_its_bytes(body: object) -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = {"/updated/query": json_answer(body)}
        with pytest.raises(BadResponse) as raised:
            await tvdb.updated(NOON, NOON)
        assert raised.value.body


@pytest.mark.parametrize("status", [200, 405])
async def test_a_page_of_html_is_a_bad_response(status: int) -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = {"/series/5": web.Response(status=status, text="<html>", content_type="text/html")}
        with pytest.raises(BadResponse):
            await tvdb.series("5", "en")


async def test_names_of_parameters_may_stand_under_a_word_of_their_own() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = {"/updated/query/params": {"data": {"params": ["fromTime"]}}}
        assert await tvdb.updated_params() == ("fromTime",)


async def test_a_summary_may_stand_under_data_with_counts_as_text_or_number() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        summary = {"airedSeasons": ["0", "1"], "airedEpisodes": "12", "dvdSeasons": [], "dvdEpisodes": 3}
        served.answers = {"/series/5/episodes/summary": {"data": summary}}
        read = await tvdb.episodes_summary("5")
        assert read is not None
        assert (read.aired_episodes, read.dvd_episodes, read.aired_seasons) == (12, 3, ("0", "1"))

"""Fetching a series with all its parts, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from changecast.sandbox import Sandbox
from producers.interface import Fetched, Refused
from producers.tvdb import TvdbProvider
from runtime.http import BadResponse, CredentialsRejected, NotItsOwn, ProviderUnavailable
from runtime.rate import RateLimit
from schemas.config import Tvdb
from schemas.event import Action, Change, Entity
from tests.producers.answering import NOT_ITS_OWN, json_answer
from tests.producers.tvdb.documents import GERMAN, SERIES, actor, episode, picture
from tests.producers.tvdb.thetvdb import NOON, TheTvdb, provider, thetvdb

TIDELAND = Entity(type="series", native_type="series", id="501")


def tideland() -> dict[str, Any]:
    """The answers for one series: 101 episodes on two pages, two posters, an actor, and a German name."""
    return {
        "/series/501": {"data": SERIES},
        "/series/501 de": {"data": GERMAN},
        "/series/501/actors": {"data": [actor(1)]},
        "/series/501/images/query/params": {"data": [{"keyType": "poster"}, {"keyType": "fanart"}]},
        "/series/501/images/query?keyType=poster": {"data": [picture(2), picture(3)]},
        "/series/501/episodes?page=1": {
            "links": {"first": 1, "last": 2, "next": 2, "prev": None},
            "data": [episode(number) for number in range(1, 101)],
        },
        "/series/501/episodes?page=2": {"links": {"first": 1, "last": 2, "next": None, "prev": 1}, "data": [episode(101)]},
    }


@asynccontextmanager
async def serving(**config: Any) -> AsyncIterator[tuple[TheTvdb, TvdbProvider]]:
    async with thetvdb() as served, provider(served, **config) as tvdb:
        served.answers = tideland()
        yield served, tvdb


async def fetched(tvdb: TvdbProvider) -> Fetched:
    answer = await tvdb.fetch(TIDELAND)
    assert isinstance(answer, Fetched)
    return answer


async def test_a_series_is_fetched_with_its_episodes_actors_and_images() -> None:
    async with serving() as (served, tvdb):
        series = await fetched(tvdb)
        assert series.entity == Entity(
            type="series",
            native_type="series",
            id="501",
            name="Tideland",
            url="https://www.thetvdb.com/series/tideland",
            external_ids={"imdbId": "tt0000501"},
        )
        assert series.fetched_at == NOON
        assert series.fields["status"] == "Continuing"
        assert len(series.members["episodes"]) == 101
        assert series.members["episodes"]["9101"]["episodeName"] == "Part 101"
        assert series.members["actors"]["71"]["name"] == "Actor 1"
        assert {"posters/501-2.jpg", "posters/501-3.jpg"} <= series.images.keys()
        assert series.primary_image == "posters/501-2.jpg"
        assert not series.partial
        assert series.comparable
        assert len(served.logins) == 1


async def test_what_is_volatile_is_a_setting_and_its_default_leaves_out_votes_and_touches() -> None:
    async with serving() as (_, tvdb):
        series = await fetched(tvdb)
        assert not {"siteRating", "lastUpdated"} & (series.fields.keys() | series.members["episodes"]["9101"].keys())
    async with serving(volatile=["status"]) as (_, tvdb):
        series = await fetched(tvdb)
        assert "status" not in series.fields
        assert {"siteRating", "lastUpdated"} <= series.fields.keys()
        assert "lastUpdated" in series.members["episodes"]["9101"]


async def test_images_are_asked_for_by_each_kind_and_none_is_an_answer() -> None:
    async with serving() as (served, tvdb):
        await fetched(tvdb)
        assert served.asked("GET /series/501/images/query?") == [
            "GET /series/501/images/query?keyType=poster",
            "GET /series/501/images/query?keyType=fanart",
        ]


async def test_a_series_without_episodes_actors_or_images_is_whole() -> None:
    async with serving() as (served, tvdb):
        served.answers = {"/series/501": {"data": {"id": 501, "seriesName": "Bare"}}}
        series = await fetched(tvdb)
        assert series.members == {"episodes": {}, "actors": {}}
        assert series.images == {}
        assert series.primary_image is None
        assert series.entity.url is None
        assert not series.partial


async def test_further_languages_bring_their_names_and_texts() -> None:
    async with serving(languages=["en", "de", "fr"]) as (served, tvdb):
        served.answers["/series/501/episodes?page=1 de"] = {"links": {"next": None}, "data": [episode(1, episodeName="Teil 1")]}
        served.answers["/series/501/episodes?page=1 fr"] = 404
        served.answers["/series/501/images/query?keyType=poster de"] = {"data": [picture(77, language="de")]}
        served.answers["/series/501 fr"] = 404
        series = await fetched(tvdb)
        assert series.fields["seriesName@de"] == "Gezeitenland"
        assert series.fields["seriesName@fr"] is None
        assert series.members["episodes"]["9001"]["episodeName@de"] == "Teil 1"
        assert series.members["episodes"]["9002"]["episodeName@de"] is None
        assert series.images["posters/501-77.jpg"].language == "de"
        assert "posters/501-2.jpg" in series.images


async def test_a_series_without_a_name_in_the_first_language_is_named_in_the_next() -> None:
    async with serving(languages=["en", "de"]) as (served, tvdb):
        served.answers["/series/501"] = {"data": {**SERIES, "seriesName": None}, "errors": {"invalidLanguage": "none"}}
        assert (await fetched(tvdb)).entity.name == "Gezeitenland"


async def test_an_item_that_can_not_be_read_makes_the_answer_partial() -> None:
    async with serving() as (served, tvdb):
        served.answers["/series/501/actors"] = {"data": [actor(1), {"name": "Nobody"}]}
        series = await fetched(tvdb)
        assert series.partial
        assert list(series.members["actors"]) == ["71"]


async def test_an_episode_that_moves_to_the_next_page_meanwhile_is_one() -> None:
    async with serving() as (served, tvdb):
        served.answers["/series/501/episodes?page=2"]["data"] = [episode(100), episode(101)]
        assert len((await fetched(tvdb)).members["episodes"]) == 101


async def test_pages_that_lead_back_end() -> None:
    async with serving() as (served, tvdb):
        served.answers["/series/501/episodes?page=2"]["links"]["next"] = 1
        assert len((await fetched(tvdb)).members["episodes"]) == 101


@pytest.mark.parametrize(("status", "forbidden"), [(404, False), (410, False), (403, True)])
async def test_a_series_that_is_gone_or_forbidden_is_an_answer(status: int, forbidden: bool) -> None:
    async with serving() as (served, tvdb):
        served.answers["/series/501"] = status
        assert await tvdb.fetch(TIDELAND) == Refused(TIDELAND, forbidden, NOON)
        assert len(served.asked()) == 1


async def test_there_is_nothing_to_fetch_for_what_is_no_series() -> None:
    async with serving() as (served, tvdb):
        assert await tvdb.fetch(Entity(type="feed", native_type="feed", id="updated")) is None
        assert served.server.requests == []


@pytest.mark.parametrize(
    "part", ["/series/501", "/series/501/actors", "/series/501/images/query?keyType=poster", "/series/501/episodes?page=2"]
)
async def test_a_part_that_is_away_may_work_later(part: str) -> None:
    async with serving() as (served, tvdb):
        served.answers[part] = 502
        with pytest.raises(ProviderUnavailable):
            await tvdb.fetch(TIDELAND)


async def test_a_part_that_is_a_page_of_html_is_a_bad_response() -> None:
    async with serving() as (served, tvdb):
        served.answers["/series/501/actors"] = lambda _: web.Response(text="<html>", content_type="text/html")
        with pytest.raises(BadResponse):
            await tvdb.fetch(TIDELAND)


async def test_rejected_credentials_are_told_as_such() -> None:
    async with serving() as (served, tvdb):
        served.login_status = 401
        with pytest.raises(CredentialsRejected):
            await tvdb.fetch(TIDELAND)


async def test_a_token_that_ends_in_the_middle_is_replaced_once_and_the_series_read_whole() -> None:
    async with serving() as (served, tvdb):
        first = served.answers["/series/501"]

        def then_revoke(_: web.Request) -> web.Response:
            served.valid.clear()
            return json_answer(first, Date="Wed, 05 Mar 2031 12:00:00 GMT")

        served.answers["/series/501"] = then_revoke
        assert len((await fetched(tvdb)).members["episodes"]) == 101
        assert len(served.logins) == 2


async def test_the_picture_of_a_change_is_found_or_made() -> None:
    async with serving() as (_, tvdb):
        images = (await fetched(tvdb)).images
        known = Change(key="poster", action=Action.UPDATED, before=None, after="posters/501-3.jpg")
        assert tvdb.pictured(known, images) == [images["posters/501-3.jpg"]]
        still = Change(key="episodes", action=Action.ADDED, after={"filename": "episodes/501/7.jpg"}, native_id="7")
        (made,) = tvdb.pictured(still, images)
        assert (made.kind, made.url) == ("episode", "https://artworks.thetvdb.com/banners/episodes/501/7.jpg")


def test_a_provider_without_its_key_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="apikey"):
        TvdbProvider(Tvdb(), RateLimit(1))


async def test_each_kind_of_edit_in_the_sandbox_shows_in_what_is_compared() -> None:
    async with Sandbox() as sandbox:
        settings = Tvdb(apikey=sandbox.credentials.tvdb_apikey, base_url=f"{sandbox.url}/tvdb")
        tvdb = TvdbProvider(settings, RateLimit(1000))
        scrubs = Entity(type="series", native_type="series", id="76156")
        try:
            before = await tvdb.fetch(scrubs)
            for kind, part in {
                "overview": "fields",
                "overview-untouched": "fields",
                "status": "fields",
                "poster-added": "images",
                "image-removed": "images",
                "episode-changed": "members",
                "episode-added": "members",
                "actor-added": "members",
                "touched": None,
            }.items():
                sandbox.catalogue.edit("tvdb", kind, target="76156")
                after = await tvdb.fetch(scrubs)
                assert isinstance(before, Fetched)
                assert isinstance(after, Fetched)
                changed = [name for name in ("fields", "members", "images") if getattr(before, name) != getattr(after, name)]
                assert part in changed if part else changed == [], kind
                before = after
        finally:
            await tvdb.aclose()


async def test_a_picture_that_names_its_language_by_an_id_is_looked_up_once() -> None:
    async with serving() as (served, tvdb):
        served.answers["/series/501/images/query?keyType=poster"] = {
            "data": [picture(2, language=None, languageId=14), picture(3)]
        }
        served.answers["/languages"] = {"data": [{"id": 14, "abbreviation": "de", "name": "Deutsch", "englishName": "German"}]}
        for _ in range(2):
            answer = await fetched(tvdb)
            assert [answer.images[f"posters/501-{number}.jpg"].language for number in (2, 3)] == ["de", "en"]
        assert served.server.count("GET /languages") == 1


@pytest.mark.parametrize("status", [403, 404, 410])
@pytest.mark.parametrize("body", NOT_ITS_OWN)
@pytest.mark.parametrize(
    "part", ["/series/501", "/series/501/actors", "/series/501/images/query/params", "/series/501/episodes?page=1"]
)
async def test_a_refusal_in_other_words_than_thetvdbs_is_no_answer(part: str, status: int, body: bytes) -> None:
    async with serving() as (served, tvdb):
        served.answers[part] = lambda request: web.Response(status=status, body=body)
        with pytest.raises(NotItsOwn):
            await tvdb.fetch(TIDELAND)


async def test_another_series_than_the_one_asked_for_is_no_answer() -> None:
    async with serving() as (served, tvdb):
        served.answers["/series/501"] = {"data": {**SERIES, "id": 502}}
        with pytest.raises(ProviderUnavailable, match="answered with series 502"):
            await tvdb.fetch(TIDELAND)


async def test_a_series_says_when_it_was_last_updated() -> None:
    async with serving() as (_, tvdb):
        answer = await fetched(tvdb)
        assert answer.updated_at is not None
        assert answer.updated_at.timestamp() == SERIES["lastUpdated"]


async def test_one_failed_request_of_many_throws_no_series_away() -> None:
    async with serving(attempts=1) as (served, tvdb):
        page, failures = served.answers["/series/501/episodes?page=2"], 2

        def flaky(request: web.Request) -> Any:
            nonlocal failures
            failures -= 1
            return 503 if failures >= 0 else page

        served.answers["/series/501/episodes?page=2"] = flaky
        series = await fetched(tvdb)
        assert len(series.members["episodes"]) == 101
        assert served.server.count("GET /series/501/episodes?page=1") == 1
        assert served.server.count("GET /series/501/actors") == 1

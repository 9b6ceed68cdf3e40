"""Enrichment against a TMDB of the tests' own, over HTTP."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from producers.interface import Refused
from producers.tmdb.events import entity
from producers.tmdb.place import episode_entity, season_entity
from runtime.http import NotItsOwn, ProviderUnavailable
from schemas.event import Entity, Parent
from tests.producers.answering import NOT_ITS_OWN, json_answer
from tests.producers.tmdb.catalogue import error_answer, tmdb
from tests.producers.tmdb.furnished import EPISODE, fetched, furnish


async def test_a_movie_has_its_name_ids_page_and_pictures_with_full_urls() -> None:
    async with tmdb() as reader:
        furnish(reader)
        answer = await fetched(reader, entity("movie", 558449))
        assert (answer.entity.name, answer.entity.external_ids) == ("Gladiator II", {"imdb_id": "tt9218128"})
        assert answer.entity.url == "https://www.themoviedb.org/movie/558449"
        assert {path: image.kind for path, image in answer.images.items()} == {
            "/poster.jpg": "poster",
            "/backdrop.jpg": "backdrop",
            "/logo.svg": "logo",
        }
        poster = answer.images["/poster.jpg"]
        assert poster.url == "https://pictures.example/t/p/original/poster.jpg"
        assert poster.thumbnail_url == "https://pictures.example/t/p/w342/poster.jpg"
        assert (poster.width, poster.height, poster.language, poster.vote_count) == (1920, 1080, "en", 4)
        assert answer.primary_image == "/poster.jpg"
        assert not answer.comparable
        assert not answer.partial


async def test_an_svg_logo_is_drawn_for_its_thumbnail() -> None:
    async with tmdb() as reader:
        furnish(reader)
        logo = (await fetched(reader, entity("movie", 558449))).images["/logo.svg"]
        assert logo.url.endswith("/original/logo.svg")
        assert logo.thumbnail_url == "https://pictures.example/t/p/w300/logo.png"


async def test_an_episode_is_fetched_by_its_numbers_with_stills_and_named_parents() -> None:
    async with tmdb() as reader:
        furnish(reader)
        answer = await fetched(reader, EPISODE)
        assert answer.entity.name == "The Kingsroad"
        assert answer.entity.url == "https://www.themoviedb.org/tv/1399/season/1/episode/2"
        assert answer.entity.external_ids == {"imdb_id": "tt1668746", "tvdb_id": "3436411"}
        assert [(above.id, above.name, above.number) for above in answer.entity.parents] == [
            ("1399", "Game of Thrones", None),
            ("3624", "Season 1", 1),
        ]
        assert {image.kind for image in answer.images.values()} == {"still"}
        assert answer.primary_image == "/still.jpg"
        assert reader.asked("/tv/1399/season/1/episode/2/images") == ["GET /tv/1399/season/1/episode/2/images"]


async def test_series_seasons_and_people_have_their_own_routes() -> None:
    async with tmdb() as reader:
        furnish(reader)
        series = await fetched(reader, entity("series", 1399))
        season = await fetched(reader, season_entity("1399", 3624, 1))
        person = await fetched(reader, entity("person", 3084))
        assert [answer.entity.url for answer in (series, season, person)] == [
            "https://www.themoviedb.org/tv/1399",
            "https://www.themoviedb.org/tv/1399/season/1",
            "https://www.themoviedb.org/person/3084",
        ]
        assert [answer.primary_image for answer in (series, season, person)] == ["/series.jpg", "/season.jpg", "/profile.jpg"]
        assert person.images["/profile.jpg"].kind == "profile"


async def test_parents_are_fetched_once_an_hour_and_the_configuration_once_a_day() -> None:
    async with tmdb() as reader:
        furnish(reader)
        await asyncio.gather(*(reader.provider.fetch(EPISODE) for _ in range(10)))
        above = ("GET /tv/1399?", "GET /tv/1399/season/1?", "GET /configuration")
        assert [reader.served.count(start) for start in above] == [1, 1, 1]
        reader.clock.advance(3600)
        await reader.provider.fetch(EPISODE)
        assert [reader.served.count(start) for start in above] == [2, 2, 1]
        reader.clock.advance(86_400)
        await reader.provider.fetch(EPISODE)
        assert reader.served.count("GET /configuration") == 2


async def test_how_long_parents_are_kept_is_a_setting() -> None:
    async with tmdb(parents_kept="5m") as reader:
        furnish(reader)
        for seconds in (0, 290, 20):
            reader.clock.advance(seconds)
            await reader.provider.fetch(EPISODE)
        assert reader.served.count("GET /tv/1399?") == 2


async def test_the_configuration_of_yesterday_will_do_when_todays_can_not_be_had() -> None:
    async with tmdb() as reader:
        furnish(reader)
        await fetched(reader, EPISODE)
        reader.clock.advance(86_400)
        reader.catalogue.overrides.append(lambda request: web.Response(status=503) if "configuration" in request.path else None)
        answer = await fetched(reader, EPISODE)
        assert answer.images["/still.jpg"].url == "https://pictures.example/t/p/original/still.jpg"


async def test_a_season_that_is_not_there_yet_is_asked_for_again() -> None:
    async with tmdb() as reader:
        furnish(reader)
        season = reader.catalogue.documents.pop("tv/1399/season/1")
        assert (await fetched(reader, EPISODE)).partial
        reader.catalogue.documents["tv/1399/season/1"] = season
        assert not (await fetched(reader, EPISODE)).partial


async def test_404_is_an_answer_and_403_is_another() -> None:
    async with tmdb() as reader:
        furnish(reader)
        gone = await reader.provider.fetch(entity("movie", 999))
        assert isinstance(gone, Refused)
        assert not gone.forbidden
        reader.catalogue.overrides.append(lambda request: json_answer({"status_code": 33, "success": False}, 403))
        refused = await reader.provider.fetch(entity("movie", 558449))
        assert isinstance(refused, Refused)
        assert refused.forbidden


@pytest.mark.parametrize("status", [403, 404, 410])
@pytest.mark.parametrize("body", NOT_ITS_OWN)
async def test_a_refusal_in_other_words_than_tmdbs_is_no_answer(status: int, body: bytes) -> None:
    async with tmdb() as reader:
        furnish(reader)
        reader.catalogue.overrides.append(lambda request: web.Response(status=status, body=body))
        with pytest.raises(NotItsOwn, match=f"status {status}, not in the provider's own words"):
            await reader.provider.fetch(entity("movie", 558449))


async def test_another_movie_than_the_one_asked_for_is_no_answer() -> None:
    async with tmdb() as reader:
        furnish(reader)
        reader.catalogue.documents["movie/558449"] = {"id": 5, "title": "Another"}
        with pytest.raises(ProviderUnavailable, match="answered with 5"):
            await reader.provider.fetch(entity("movie", 558449))


async def test_a_cached_refusal_says_so() -> None:
    async with tmdb() as reader:
        furnish(reader)
        reader.catalogue.overrides.append(lambda request: error_answer(34, Age="300"))
        refused = await reader.provider.fetch(entity("movie", 558449))
        assert isinstance(refused, Refused)
        assert refused.cached


async def test_a_provider_that_is_away_is_no_answer() -> None:
    async with tmdb() as reader:
        furnish(reader)
        reader.catalogue.overrides.append(lambda request: web.Response(status=503))
        with pytest.raises(ProviderUnavailable):
            await reader.provider.fetch(EPISODE)


async def test_the_time_of_a_fetch_is_on_tmdbs_clock() -> None:
    async with tmdb() as reader:
        furnish(reader)
        document = reader.catalogue.documents["person/3084"]

        def dated(request: web.Request) -> web.Response | None:
            asked = request.path == "/person/3084"
            return json_answer(document, Date="Tue, 21 Jan 2025 12:01:00 GMT") if asked else None

        reader.catalogue.overrides.append(dated)
        answer = await fetched(reader, entity("person", 3084))
        assert answer.fetched_at.isoformat() == "2025-01-21T12:01:00+00:00"


async def test_an_episode_that_was_renumbered_is_found_by_its_id() -> None:
    async with tmdb() as reader:
        furnish(reader)
        answer = await fetched(reader, episode_entity("1399", 3624, 1, 63056, 2).model_copy(update={"id": "63057", "number": 1}))
        assert (answer.entity.id, answer.entity.number, answer.entity.name) == ("63057", 2, "The Kingsroad")


async def test_an_episode_that_lies_at_numbers_of_another_and_nowhere_else_is_not_found() -> None:
    async with tmdb() as reader:
        furnish(reader)
        answer = await reader.provider.fetch(episode_entity("1399", 3624, 1, 70000, 2))
        assert isinstance(answer, Refused)
        assert not answer.forbidden


async def test_an_episode_without_its_number_is_looked_up_and_one_without_a_series_is_partial() -> None:
    async with tmdb() as reader:
        furnish(reader)
        unnumbered = EPISODE.model_copy(update={"number": None})
        assert (await fetched(reader, unnumbered)).entity.number == 2
        orphan = EPISODE.model_copy(update={"parents": [], "number": None})
        answer = await fetched(reader, orphan)
        assert answer.partial
        assert answer.entity == orphan


async def test_an_episode_may_be_named_by_its_numbers() -> None:
    async with tmdb() as reader:
        furnish(reader)
        named = Entity(type="series", native_type="tv", id="1399/1/2")
        answer = await fetched(reader, named)
        assert (answer.entity.type, answer.entity.id, answer.entity.name) == ("episode", "63057", "The Kingsroad")
        assert answer.entity.parents[1] == Parent(type="season", id="3624", name="Season 1", number=1)
        season = await fetched(reader, Entity(type="series", native_type="tv", id="1399/1"))
        assert (season.entity.type, season.entity.id) == ("season", "3624")
        with pytest.raises(ValueError, match="series/season/episode"):
            await reader.provider.fetch(Entity(type="series", native_type="tv", id="1399/one"))


async def test_a_feed_is_nothing_to_fetch() -> None:
    async with tmdb() as reader:
        assert await reader.provider.fetch(Entity(type="feed", native_type="feed", id="movie")) is None
        assert reader.served.requests == []


async def test_parents_that_are_gone_leave_the_answer_partial() -> None:
    async with tmdb() as reader:
        furnish(reader)
        del reader.catalogue.documents["tv/1399"]
        answer = await fetched(reader, EPISODE)
        assert answer.partial
        assert [above.name for above in answer.entity.parents] == [None, "Season 1"]


async def test_images_that_are_not_to_be_had_leave_the_answer_partial_with_the_primary_one() -> None:
    async with tmdb() as reader:
        furnish(reader)
        reader.catalogue.overrides.append(lambda request: error_answer(34) if request.path.endswith("/images") else None)
        answer = await fetched(reader, EPISODE)
        assert answer.partial
        assert answer.images["/still.jpg"].kind == "still"

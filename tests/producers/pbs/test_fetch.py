"""Fetching entities and the parents above them, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from producers.interface import Fetched, Refused
from producers.pbs import PbsProvider
from runtime.clock import ManualClock
from runtime.http import BadResponse, NotItsOwn, ProviderUnavailable
from runtime.rate import RateLimit
from schemas.config import Pbs
from schemas.event import Action, Change, Entity, Parent
from tests.producers.answering import NOT_ITS_OWN, Answering, answering, json_answer
from tests.producers.pbs.documents import ASSET, EPISODE, FRANCHISE, SEASON, SHOW, STATION, document

EVERYTHING = {
    "assets/as-1": ASSET,
    "episodes/ep-1": EPISODE,
    "seasons/se-1": SEASON,
    "shows/sh-1": SHOW,
    "franchises/fr-1": FRANCHISE,
    "stations/st-1": STATION,
}
FRANCHISE_PARENT = Parent(type="franchise", id="fr-1", name="Planet")
SHOW_PARENT = Parent(type="series", id="sh-1", name="Shores")
SEASON_PARENT = Parent(type="season", id="se-1", number=2)
EPISODE_PARENT = Parent(type="episode", id="ep-1", name="Coast", number=4)


@dataclass
class Library:
    """The documents that are served, and answers that stand in for some."""

    provider: PbsProvider
    clock: ManualClock
    server: Answering
    documents: dict[str, Any] = field(default_factory=lambda: deepcopy(EVERYTHING))
    instead: dict[str, web.Response | int] = field(default_factory=dict)
    date: str = "Wed, 05 Mar 2031 12:00:00 GMT"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api/v1/").removesuffix("/")
        await asyncio.sleep(0)
        instead = self.instead.get(path)
        if isinstance(instead, int):
            return json_answer({"detail": "No."}, instead, Date=self.date)
        if instead is not None:
            return instead
        if path not in self.documents or not request.path.endswith("/"):
            return json_answer({"detail": "Not found."}, 404, Date=self.date)
        return json_answer(self.documents[path], Date=self.date)

    async def fetched(self, kind: str, cid: str, url: str | None = None) -> Fetched:
        answer = await self.provider.fetch(entity(kind, cid, url))
        assert isinstance(answer, Fetched)
        return answer


def entity(kind: str, cid: str, url: str | None = None) -> Entity:
    return Entity(type=kind, native_type={"series": "show"}.get(kind, kind), id=cid, url=url)


@asynccontextmanager
async def library() -> AsyncIterator[Library]:
    clock = ManualClock()

    async def answer(request: web.Request) -> web.StreamResponse:
        return await served.answer(request)

    async with answering(answer) as server:
        settings = Pbs(key="k", secret="s", base_url=f"{server.url}/api/v1", platforms=[])
        provider = PbsProvider(settings, RateLimit(1000, clock), clock)
        served = Library(provider, clock, server)
        try:
            yield served
        finally:
            await provider.aclose()


async def test_an_asset_is_fetched_with_its_parents_outermost_first() -> None:
    async with library() as pbs:
        fetched = await pbs.fetched("asset", "as-1")
        assert fetched.entity == Entity(
            type="asset",
            native_type="asset",
            id="as-1",
            name="The Tide",
            url="https://www.pbs.org/video/the-tide-x1/",
            parents=[SHOW_PARENT, SEASON_PARENT, EPISODE_PARENT],
            external_ids={"legacy_tp_media_id": "3100000001"},
        )
        assert fetched.fetched_at == datetime(2031, 3, 5, 12, tzinfo=UTC)
        assert fetched.fields["title"] == "The Tide"
        assert fetched.primary_image == "/video/aa-mezzanine.jpg"
        assert not fetched.partial
        assert pbs.server.requests == ["GET /api/v1/assets/as-1/"], "its document names the whole line"


async def test_an_episodes_line_is_followed_up_to_the_franchise() -> None:
    async with library() as pbs:
        fetched = await pbs.fetched("episode", "ep-1")
        assert fetched.entity.parents == [FRANCHISE_PARENT, SHOW_PARENT, SEASON_PARENT]
        assert fetched.entity.number == 4
        assert fetched.entity.url == "https://media.example.org/api/v1/episodes/ep-1/"
        assert fetched.primary_image == "/video/full.jpg"


async def test_a_show_a_season_and_a_franchise_have_the_parents_above_them() -> None:
    async with library() as pbs:
        assert (await pbs.fetched("series", "sh-1")).entity.parents == [FRANCHISE_PARENT]
        assert (await pbs.fetched("season", "se-1")).entity.parents == [FRANCHISE_PARENT, SHOW_PARENT]
        assert (await pbs.fetched("franchise", "fr-1")).entity.parents == []
        assert (await pbs.fetched("station", "st-1")).entity.name == "KCTS 9"


async def test_a_special_is_below_its_show() -> None:
    async with library() as pbs:
        show = {"id": "sh-1", "type": "show", "attributes": {"title": "Shores"}}
        pbs.documents["specials/sp-1"] = document("sp-1", "special", {"title": "Storm", "show": show})
        assert (await pbs.fetched("special", "sp-1")).entity.parents == [FRANCHISE_PARENT, SHOW_PARENT]


async def test_an_asset_of_a_franchise_has_that_as_its_only_parent() -> None:
    async with library() as pbs:
        franchise = {"id": "fr-1", "type": "franchise", "attributes": {"title": "Planet"}}
        pbs.documents["assets/as-5"] = document("as-5", "asset", {"title": "Trailer", "parent_tree": franchise})
        assert (await pbs.fetched("asset", "as-5")).entity.parents == [FRANCHISE_PARENT]


async def test_a_parent_is_fetched_once_an_hour_however_many_ask_for_it_at_once() -> None:
    async with library() as pbs:
        await asyncio.gather(*(pbs.fetched("episode", "ep-1") for _ in range(8)))
        assert pbs.server.count("GET /api/v1/shows/sh-1/") == 1
        pbs.clock.advance(3590)
        await pbs.fetched("episode", "ep-1")
        assert pbs.server.count("GET /api/v1/shows/sh-1/") == 1
        pbs.clock.advance(20)
        await pbs.fetched("episode", "ep-1")
        assert pbs.server.count("GET /api/v1/shows/sh-1/") == 2


async def test_a_parent_that_was_just_fetched_itself_is_not_asked_for_again() -> None:
    async with library() as pbs:
        await pbs.fetched("series", "sh-1")
        assert (await pbs.fetched("episode", "ep-1")).entity.parents[0] == FRANCHISE_PARENT
        assert pbs.server.count("GET /api/v1/shows/sh-1/") == 1


async def test_a_parents_new_title_shows_at_once_where_the_document_below_tells_it() -> None:
    async with library() as pbs:
        await pbs.fetched("episode", "ep-1")
        pbs.documents["episodes/ep-1"]["data"]["attributes"]["show"]["attributes"]["title"] = "Shores and Isles"
        assert (await pbs.fetched("episode", "ep-1")).entity.parents[1].name == "Shores and Isles"


async def test_a_parent_that_the_document_below_does_not_name_has_its_own_name() -> None:
    async with library() as pbs:
        del pbs.documents["episodes/ep-1"]["data"]["attributes"]["show"]["attributes"]["title"]
        assert (await pbs.fetched("episode", "ep-1")).entity.parents[1] == SHOW_PARENT


@pytest.mark.parametrize("status", [403, 404])
async def test_a_parent_that_may_not_be_read_stays_as_the_document_tells_it(status: int) -> None:
    async with library() as pbs:
        pbs.instead["shows/sh-1"] = status
        fetched = await pbs.fetched("episode", "ep-1")
        assert fetched.entity.parents == [SHOW_PARENT, SEASON_PARENT]
        assert not fetched.partial
        await pbs.fetched("episode", "ep-1")
        assert pbs.server.count("GET /api/v1/shows/sh-1/") == 1


async def test_a_parent_that_is_away_makes_the_answer_partial_and_is_asked_for_again() -> None:
    async with library() as pbs:
        pbs.instead["shows/sh-1"] = 500
        fetched = await pbs.fetched("episode", "ep-1")
        assert fetched.partial
        assert fetched.entity.parents == [SHOW_PARENT, SEASON_PARENT]
        assert fetched.fields["title"] == "Coast"
        del pbs.instead["shows/sh-1"]
        assert not (await pbs.fetched("episode", "ep-1")).partial


async def test_an_asker_that_gives_up_takes_a_parent_from_nobody() -> None:
    async with library() as pbs:
        first, second = (asyncio.ensure_future(pbs.fetched("episode", "ep-1")) for _ in range(2))
        while not pbs.server.count("GET /api/v1/shows/sh-1/"):
            await asyncio.sleep(0)
        first.cancel()
        assert (await second).entity.parents[0] == FRANCHISE_PARENT
        assert pbs.server.count("GET /api/v1/shows/sh-1/") == 1


async def test_a_line_that_leads_in_a_circle_ends() -> None:
    async with library() as pbs:
        loop = {
            "id": "se-1",
            "type": "season",
            "attributes": {"title": "", "show": {"id": "sh-1", "type": "show", "attributes": {}}},
        }
        pbs.documents["shows/sh-1"] = document("sh-1", "show", {"title": "Shores", "season": loop})
        assert len((await pbs.fetched("episode", "ep-1")).entity.parents) <= 5


@pytest.mark.parametrize(("status", "forbidden"), [(403, True), (404, False), (410, False)])
async def test_an_entity_that_may_not_be_read_or_is_gone_is_an_answer(status: int, forbidden: bool) -> None:
    async with library() as pbs:
        pbs.instead["assets/as-1"] = status
        asked = entity("asset", "as-1")
        assert await pbs.provider.fetch(asked) == Refused(asked, forbidden, datetime(2031, 3, 5, 12, tzinfo=UTC))


@pytest.mark.parametrize("status", [403, 404, 410])
@pytest.mark.parametrize("body", NOT_ITS_OWN)
async def test_a_refusal_in_other_words_than_media_managers_is_no_answer(status: int, body: bytes) -> None:
    async with library() as pbs:
        pbs.instead["assets/as-1"] = web.Response(status=status, body=body)
        with pytest.raises(NotItsOwn):
            await pbs.provider.fetch(entity("asset", "as-1"))


async def test_another_entity_than_the_one_asked_for_is_no_answer() -> None:
    async with library() as pbs:
        pbs.documents["assets/as-1"]["data"]["id"] = "as-2"
        with pytest.raises(ProviderUnavailable, match="answered with the document of as-2"):
            await pbs.provider.fetch(entity("asset", "as-1"))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2031-03-05T11:00:00.664330Z", datetime(2031, 3, 5, 11, 0, 0, 664330, tzinfo=UTC)),
        ("2031-03-05T11:00:00Z", datetime(2031, 3, 5, 11, tzinfo=UTC)),
        ("2031-03-05T11:00:00", datetime(2031, 3, 5, 11, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
        (5, None),
    ],
)
async def test_a_document_says_when_it_was_last_changed(value: object, read: datetime | None) -> None:
    async with library() as pbs:
        pbs.documents["assets/as-1"]["data"]["attributes"]["updated_at"] = value
        assert (await pbs.fetched("asset", "as-1")).updated_at == read


@pytest.mark.parametrize("kind", ["image", "link", "availability", "feed"])
async def test_there_is_nothing_to_fetch_for_what_has_no_document(kind: str) -> None:
    async with library() as pbs:
        assert await pbs.provider.fetch(entity(kind, "x-1")) is None
        assert pbs.server.requests == []


async def test_an_unknown_type_is_fetched_where_its_link_says_but_only_from_our_own_address() -> None:
    async with library() as pbs:
        pbs.documents["reels/re-1"] = document("re-1", "reel", {"title": "Reel"})
        fetched = await pbs.fetched("reel", "re-1", "https://elsewhere.example.org/api/v1/reels/re-1/")
        assert fetched.entity.name == "Reel"
        assert pbs.server.requests == ["GET /api/v1/reels/re-1/"]


async def test_an_odd_id_stays_within_its_route() -> None:
    async with library() as pbs:
        await pbs.provider.fetch(entity("asset", "../shows/sh-1"))
        assert pbs.server.requests == ["GET /api/v1/assets/..%2Fshows%2Fsh-1/"]


async def test_a_provider_that_is_away_may_work_later() -> None:
    async with library() as pbs:
        pbs.instead["assets/as-1"] = 503
        with pytest.raises(ProviderUnavailable):
            await pbs.provider.fetch(entity("asset", "as-1"))


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": {"id": "as-1"}}, {"data": {"attributes": {}}}, 7])
async def test_an_answer_that_is_no_document_is_a_bad_response(body: object) -> None:
    async with library() as pbs:
        pbs.instead["assets/as-1"] = json_answer(body)
        with pytest.raises(BadResponse):
            await pbs.provider.fetch(entity("asset", "as-1"))


async def test_the_picture_of_an_image_change_is_found_by_its_path_or_made_from_it() -> None:
    async with library() as pbs:
        images = (await pbs.fetched("asset", "as-1")).images
        path = "/video/aa-mezzanine.jpg"
        added = Change(key="images", action=Action.ADDED, after=images[path].model_dump(mode="json"), native_id=path)
        assert pbs.provider.pictured(added, images) == [images[path]]
        gone = Change(key="images", action=Action.DELETED, before={"path": "/video/old.jpg"}, native_id="/video/old.jpg")
        (made,) = pbs.provider.pictured(gone, images)
        assert made.url == "https://image.pbs.org/video/old.jpg"
        assert pbs.provider.pictured(Change(key="title", action=Action.UPDATED, after="x"), images) == []


def test_a_provider_without_its_secret_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="both key and secret"):
        PbsProvider(Pbs(key="k"), RateLimit(1))

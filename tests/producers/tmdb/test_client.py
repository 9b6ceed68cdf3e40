"""Each route and each of TMDB's error codes, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

import pytest
from aiohttp import web

from producers.tmdb.client import FULL_PAGE, Forbidden, NotFound, Refusal, TmdbClient
from producers.tmdb.models import DateWindow
from runtime.clock import ManualClock
from runtime.http import BadResponse, CredentialsRejected, ProviderHttp, ProviderUnavailable
from runtime.rate import RateLimit
from tests.producers.answering import Answer, Answering, answering, json_answer
from tests.producers.tmdb.catalogue import NOON, error_answer

WINDOW = DateWindow(date(2025, 1, 20), date(2025, 1, 22))


@asynccontextmanager
async def client_of(answer: Answer) -> AsyncIterator[tuple[TmdbClient, Answering]]:
    async with answering(answer) as served:
        clock = ManualClock(NOON)
        http = ProviderHttp(served.url, rate=RateLimit(1000, clock), timeout_s=5, max_body_bytes=1_000_000, clock=clock)
        client = TmdbClient(http)
        try:
            yield client, served
        finally:
            await client.aclose()


def always(response: object, status: int = 200) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return json_answer(response, status)

    return answer


def refusing(code: int, status: int | None = None) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = error_answer(code)
        response.set_status(status or response.status)
        return response

    return answer


async def test_lists_are_asked_with_dates_and_a_page() -> None:
    async with client_of(always({"results": [{"id": 5}], "total_pages": 3})) as (client, served):
        listed = await client.changed("person", WINDOW, 2)
        assert (listed.ids, listed.total_pages) == ((5,), 3)
        assert served.requests == ["GET /person/changes?start_date=2025-01-20&end_date=2025-01-22&page=2"]


@pytest.mark.parametrize("route", ["movie", "tv", "person", "tv/season", "tv/episode"])
async def test_changes_are_asked_by_id(route: str) -> None:
    async with client_of(always({"changes": []})) as (client, served):
        assert (await client.changes(route, 7, WINDOW)).items == ()
        assert served.requests == [f"GET /{route}/7/changes?start_date=2025-01-20&end_date=2025-01-22&page=1"]


def item(number: int) -> dict[str, object]:
    time = NOON + timedelta(seconds=number)
    return {"id": f"{number:024x}", "action": "added", "time": time.strftime("%Y-%m-%d %H:%M:%S UTC"), "value": number}


async def test_changes_that_fill_a_page_are_read_on_until_a_page_brings_nothing_new() -> None:
    async def paged(request: web.Request) -> web.StreamResponse:
        start = (int(request.query["page"]) - 1) * FULL_PAGE
        return json_answer({"changes": [{"key": "cast", "items": [item(n) for n in range(250)[start : start + FULL_PAGE]]}]})

    async with client_of(paged) as (client, served):
        assert len((await client.changes("movie", 7, WINDOW)).items) == 250
        assert len(served.requests) == 3


async def test_changes_that_come_whole_on_every_page_are_each_there_once() -> None:
    whole = {"changes": [{"key": "cast", "items": [item(n) for n in range(250)]}]}
    async with client_of(always(whole)) as (client, served):
        assert len((await client.changes("movie", 7, WINDOW)).items) == 250
        assert len(served.requests) == 2


async def test_code_7_is_a_rejected_token_whatever_the_status() -> None:
    for status in (401, 403, 200):
        async with client_of(refusing(7, status)) as (client, _):
            with pytest.raises(CredentialsRejected):
                await client.configuration()


async def test_code_20_names_the_window_as_refused() -> None:
    async with client_of(refusing(20)) as (client, served):
        with pytest.raises(Refusal, match="no longer than 14 days") as refusal:
            await client.changed("movie", WINDOW, 1)
        assert refusal.value.code == 20
        assert len(served.requests) == 1


async def test_code_22_ends_a_list_behind_its_first_page() -> None:
    async with client_of(refusing(22)) as (client, _):
        assert (await client.changed("movie", WINDOW, 2)).total_pages == 0
        with pytest.raises(Refusal):
            await client.changed("movie", WINDOW, 1)


async def test_code_25_is_asked_again() -> None:
    async with client_of(refusing(25)) as (client, served):
        with pytest.raises(ProviderUnavailable):
            await client.configuration()
        assert len(served.requests) > 1
    async with client_of(refusing(25, 200)) as (client, _):
        with pytest.raises(ProviderUnavailable):
            await client.configuration()


@pytest.mark.parametrize("status", [404, 410])
async def test_code_34_is_not_found(status: int) -> None:
    async with client_of(refusing(34, status)) as (client, _):
        with pytest.raises(NotFound):
            await client.changes("movie", 7, WINDOW)
        with pytest.raises(NotFound):
            await client.details("movie/7")


async def test_403_is_forbidden() -> None:
    async with client_of(always({"status_code": 33, "success": False}, 403)) as (client, _):
        with pytest.raises(Forbidden):
            await client.images("movie/7")


async def test_an_error_that_comes_with_status_200_is_an_error() -> None:
    async with client_of(always({"success": False, "status_code": 5, "status_message": "Invalid parameters"})) as (client, _):
        with pytest.raises(Refusal, match="Invalid parameters"):
            await client.changed("movie", WINDOW, 1)


@pytest.mark.parametrize("document", [None, [], {}, {"images": None}, {"images": {}}, {"images": {"secure_base_url": 5}}])
async def test_a_configuration_without_a_base_url_is_a_bad_response(document: object) -> None:
    async with client_of(always(document)) as (client, _):
        with pytest.raises(BadResponse):
            await client.configuration()


async def test_details_ask_for_external_ids_and_images_for_all_languages() -> None:
    async with client_of(always({"id": 7, "stills": []})) as (client, served):
        await client.details("tv/1399/season/1/episode/2")
        await client.images("tv/1399/season/1/episode/2")
        assert served.requests == [
            "GET /tv/1399/season/1/episode/2?append_to_response=external_ids",
            "GET /tv/1399/season/1/episode/2/images",
        ]

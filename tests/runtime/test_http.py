"""How the providers' HTTP asks, waits and tells what came, against real servers on 127.0.0.1."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiohttp import web

from runtime import clock_check
from runtime.clock import ManualClock
from runtime.http import BadResponse, CredentialsRejected, ProviderUnavailable
from tests.producers.answering import json_answer
from tests.runtime.serving import NOW, always, client, in_turn, raw, served


async def test_an_answer_has_its_json_its_status_and_the_providers_date() -> None:
    async with served(always({"id": 1}, Date="Tue, 21 Jan 2025 04:46:31 GMT")) as (http, server):
        answer = await http.get("movie/550", {"page": 2})
        assert (answer.status, answer.json()) == (200, {"id": 1})
        assert answer.date == datetime(2025, 1, 21, 4, 46, 31, tzinfo=UTC)
        assert server.requests == ["GET /movie/550?page=2"]


async def test_our_clock_stands_in_for_a_date_that_is_missing_or_no_date() -> None:
    async with served(always({}, Date="yesterday")) as (http, _):
        assert (await http.get("x")).date == NOW
    async with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as url:
        http = client(url)
        assert (await http.get("x")).date == NOW
        await http.aclose()


async def test_headers_and_credentials_go_with_every_request() -> None:
    async with served(always({}), headers={"Authorization": "Bearer t"}) as (http, server):
        await http.get("x", headers={"Accept-Language": "fr"})
        assert server.headers[0]["Authorization"] == "Bearer t"
        assert server.headers[0]["Accept-Language"] == "fr"
    async with served(always({}), auth=("key", "secret")) as (http, server):
        await http.get("x")
        assert server.headers[0]["Authorization"] == "Basic a2V5OnNlY3JldA=="


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 524])
async def test_what_may_pass_is_asked_again(status: int) -> None:
    async with served(in_turn(lambda: web.Response(status=status), lambda: json_answer({"ok": 1}))) as (http, server):
        assert (await http.get("x")).json() == {"ok": 1}
        assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 410, 422])
async def test_other_refusals_are_answers(status: int) -> None:
    async with served(always({"detail": "no"}, status)) as (http, server):
        assert (await http.get("x")).status == status
        assert len(server.requests) == 1


async def test_after_the_last_attempt_the_provider_is_unavailable() -> None:
    async with served(always({}, 503), attempts=3) as (http, server):
        with pytest.raises(ProviderUnavailable, match="GET /x: status 503"):
            await http.get("x")
        assert len(server.requests) == 3


async def test_a_wrong_key_is_not_tried_twice() -> None:
    async with served(always({"status_code": 7}, 401)) as (http, server):
        with pytest.raises(CredentialsRejected):
            await http.get("x")
        assert len(server.requests) == 1


async def test_retry_after_is_waited_for_by_this_and_by_all_other_requests() -> None:
    clock = ManualClock(NOW)
    answers = in_turn(lambda: json_answer({}, 429, Retry_After="17"), lambda: json_answer({}))
    async with served(answers, clock=clock) as (http, _):
        with pytest.raises(ProviderUnavailable) as problem:
            await http.send("GET", "x")
        assert problem.value.retry_after == 17
        await http.send("GET", "y")
        assert clock.monotonic() >= 17


async def test_429_without_a_time_pauses_the_budget_for_a_second() -> None:
    clock = ManualClock(NOW)
    async with served(in_turn(lambda: web.Response(status=429), lambda: json_answer({})), clock=clock) as (http, _):
        with pytest.raises(ProviderUnavailable) as problem:
            await http.send("GET", "x")
        assert problem.value.retry_after is None
        await http.send("GET", "y")
        assert clock.monotonic() >= 1


async def test_a_long_retry_after_is_left_to_the_caller() -> None:
    clock = ManualClock(NOW)
    async with served(always({}, 503, Retry_After="600"), clock=clock) as (http, server):
        with pytest.raises(ProviderUnavailable) as problem:
            await http.get("x")
        assert problem.value.retry_after == 600
        assert len(server.requests) == 1
        assert clock.monotonic() == 0


async def test_a_redirect_is_not_followed() -> None:
    async with served(always({}, 302, Location="http://127.0.0.1:1/elsewhere")) as (http, server):
        with pytest.raises(BadResponse, match="redirects to http://127"):
            await http.get("x")
        assert len(server.requests) == 1


async def test_a_next_link_of_the_same_server_keeps_its_query() -> None:
    async with served(always({})) as (http, server):
        await http.get(f"{server.url}/changelog/?page=2&since=2025-01-21T00:00:00Z")
        assert server.requests == ["GET /changelog/?page=2&since=2025-01-21T00:00:00Z"]


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1:1/x", "https://127.0.0.1/x", "http://example.org/x", "http://[", "https://:0x/"]
)
async def test_a_link_to_another_server_gets_no_credentials(link: str) -> None:
    async with served(always({})) as (http, server):
        with pytest.raises(BadResponse):
            await http.get(link)
        assert server.requests == []


async def test_a_request_whose_connection_breaks_is_sent_once_for_each_that_the_budget_counts() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with served(cut, attempts=3) as (http, server):
        with pytest.raises(ProviderUnavailable):
            await http.get("x")
        assert len(server.requests) == http.rate.spent == 3


async def test_the_message_names_the_request_and_holds_no_query_and_no_credentials() -> None:
    async with served(always({}, 503), attempts=1, headers={"Authorization": "Bearer hush"}) as (http, _):
        with pytest.raises(ProviderUnavailable) as problem:
            await http.get("movie/changes", {"api_key": "hush"})
        assert "GET /movie/changes" in str(problem.value)
        assert "hush" not in str(problem.value)


async def test_a_json_body_is_posted() -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return json_answer({"type": request.content_type, "body": await request.json()})

    async with served(echo) as (http, _):
        answer = await http.send("POST", "login", json={"apikey": "k"})
        assert answer.json() == {"type": "application/json", "body": {"apikey": "k"}}


async def test_a_repeated_parameter_is_sent_repeatedly() -> None:
    async with served(always({})) as (http, server):
        await http.get("changelog/", {"type": ["show", "asset"]})
        assert server.requests == ["GET /changelog/?type=show&type=asset"]


async def test_every_attempt_is_paid_for_out_of_the_budget() -> None:
    async with served(always({}, 503), attempts=4) as (http, _):
        with pytest.raises(ProviderUnavailable):
            await http.get("x")
        assert http.rate.spent == 4


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ({"Retry-After": "Tue, 21 Jan 2025 12:00:20", "Date": "Tue, 21 Jan 2025 12:00:00"}, 20),
        ({"Retry-After": "Tue, 21 Jan 2025 12:00:20 GMT", "Date": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"}, 20),
        ({"Retry-After": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"}, None),
        ({"Retry-After": "31536000"}, 3600),
    ],
)
async def test_an_absurd_date_is_ignored_and_a_long_wait_limited(asked: dict[str, str], waited: float | None) -> None:
    async with served(always({}, 503, **asked), attempts=1) as (http, _):
        with pytest.raises(ProviderUnavailable) as problem:
            await http.get("x")
        assert problem.value.retry_after == waited


async def test_a_providers_date_tells_that_our_clock_is_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clock_check, "SHARED", clock_check.ClockCheck())
    async with served(always({}, Date="Tue, 21 Jan 2025 04:46:31 GMT")) as (http, _):
        await http.get("x")
        await http.get("x")
    assert caplog.text.count("minutes ahead of that of 127.0.0.1") == 1

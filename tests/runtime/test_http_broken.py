"""Answers that break off, are no HTTP, too large or never come, against real servers on 127.0.0.1."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp import web

from runtime.http import BadResponse, ProviderUnavailable
from tests.runtime.serving import Respond, client, raw, served


async def test_a_body_that_is_no_json_is_kept_as_it_came() -> None:
    page = "<html><body>Bad Gateway</body></html>"

    async def html(request: web.Request) -> web.StreamResponse:
        return web.Response(text=page, content_type="text/html")

    async with served(html) as (http, _):
        answer = await http.get("x")
        with pytest.raises(BadResponse, match="not JSON") as problem:
            answer.json()
        assert problem.value.body == page.encode()


async def test_a_body_that_is_too_large_is_not_read_to_its_end() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10_000):
            await response.write(b" " * 10_000)
            sent += 10_000
        return response

    async with served(endless) as (http, _):
        with pytest.raises(BadResponse, match="larger than 100000 bytes"):
            await http.get("x")
        assert sent < 50_000_000


async def test_gzip_is_read_and_what_it_unpacks_to_is_limited() -> None:
    def packed(body: bytes) -> Respond:
        async def respond(request: web.Request) -> web.StreamResponse:
            return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})

        return respond

    async with served(packed(b'{"id": 1}')) as (http, _):
        assert (await http.get("x")).json() == {"id": 1}
    async with served(packed(b" " * 20_000_000)) as (http, _):
        with pytest.raises(BadResponse, match="larger"):
            await http.get("x")


async def test_gzip_that_is_none_is_tried_again() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"not gzip", headers={"Content-Encoding": "gzip"})

    async with served(broken, attempts=2) as (http, server):
        with pytest.raises(ProviderUnavailable):
            await http.get("x")
        assert len(server.requests) == 2


async def test_a_body_that_drips_is_given_up_when_the_time_is_over() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    async with served(drip, timeout_s=0.3, attempts=1) as (http, _):
        with pytest.raises(ProviderUnavailable, match=r"no whole answer within 0\.3 s"):
            await http.get("x")


async def test_no_answer_at_all_is_given_up_when_the_time_is_over() -> None:
    asked = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(3)
        return web.Response()

    async with served(silent, timeout_s=1.0, attempts=1) as (http, _):
        with pytest.raises(ProviderUnavailable):
            await http.get("x")
        assert asked.is_set()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"this is no HTTP\r\n\r\n",
        b"HTTP/1.1 999999 What\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "no-http", "odd-status", "cut-short", "bad-chunk", "huge-header"],
)
async def test_an_answer_that_is_no_http_is_an_unavailable_provider(answer: bytes) -> None:
    async with raw(answer) as url:
        http = client(url, attempts=2)
        with pytest.raises(ProviderUnavailable, match="GET /x"):
            await http.get("x")
        await http.aclose()


async def test_a_reset_connection_is_an_unavailable_provider() -> None:
    async with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", then_reset=True) as url:
        http = client(url, attempts=2)
        with pytest.raises(ProviderUnavailable):
            await http.get("x")
        await http.aclose()


async def test_a_refused_connection_is_an_unavailable_provider() -> None:
    async with raw(b"") as url:
        pass
    http = client(url, attempts=1)
    with pytest.raises(ProviderUnavailable):
        await http.get("x")
    await http.aclose()


async def test_no_cookie_is_kept_and_none_fails_a_later_request() -> None:
    cookies: list[str | None] = []

    async def respond(request: web.Request) -> web.StreamResponse:
        cookies.append(request.headers.get("Cookie"))
        response = web.json_response({"id": 1})
        response.headers["Set-Cookie"] = "name=J\u00fcrgen\u2603; Path=/"
        return response

    async with served(respond) as (http, _):
        for _ in range(3):
            assert (await http.get("x")).json() == {"id": 1}
    assert cookies == [None, None, None]


@pytest.mark.parametrize("name", ["X-Policy", "Set-Cookie", "Date", "Retry-After"])
async def test_a_header_of_any_size_fails_its_own_request_alone(name: str) -> None:
    huge = False

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            header = b"%s: %s\r\n" % (name.encode(), b"\xe9" * 300_000) if huge else b""
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n" + header + b'\r\n{"id": 1}')

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    http = client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", attempts=1)
    try:
        assert (await http.get("x")).json() == {"id": 1}
        huge = True
        with pytest.raises(ProviderUnavailable):
            await http.get("x")
        huge = False
        assert (await http.get("x")).json() == {"id": 1}
    finally:
        await http.aclose()
        server.close()


async def test_a_long_header_is_read() -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        return web.json_response({"id": 1}, headers={"Content-Security-Policy": "x" * 20_000})

    async with served(respond) as (http, _):
        assert (await http.get("x")).json() == {"id": 1}

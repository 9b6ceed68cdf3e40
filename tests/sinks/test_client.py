"""The HTTP client against real servers on loopback, friendly and not."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from runtime import clock_check
from runtime.outbound import Outbound
from schemas.config import Delivery
from sinks.answer import Meaning
from sinks.client import Client, Reply, plain_answer
from sinks.retry import RetryPolicy
from sinks.verdict import judge
from tests.sinks.worlds import Call, receiving

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def client_of(allow: object = LOOPBACK, outbound: Outbound | None = None, **settings: object) -> AsyncIterator[Client]:
    client = Client(Delivery.model_validate({"timeout": "1s", **settings}), allow, outbound=outbound)  # type: ignore[arg-type]
    try:
        yield client
    finally:
        await client.aclose()


@contextlib.asynccontextmanager
async def raw_server(talk: Talk) -> AsyncIterator[str]:
    """A server that says exactly what the test wants, once it has the request's head."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed_and_do_not_succeed(status: int) -> None:
    async def redirect(call: Call) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with receiving(redirect) as receiver, client_of() as client:
        answer = plain_answer(await client.post(f"{receiver.url}/hook", b"{}", {}))
    assert [call.path for call in receiver.calls] == ["/hook"]
    assert answer.meaning is Meaning.FAILED
    assert answer.error == f"status {status}, and redirects are not followed"


@pytest.mark.parametrize(
    ("status", "meaning"),
    [(200, Meaning.DELIVERED), (204, Meaning.DELIVERED), (400, Meaning.FAILED), (410, Meaning.GONE), (500, Meaning.FAILED)],
)
async def test_only_2xx_succeeds_and_410_ends_the_endpoint(status: int, meaning: Meaning) -> None:
    async def answering(call: Call) -> web.Response:
        return web.Response(status=status, text="" if status == 204 else "the reason")

    async with receiving(answering) as receiver, client_of() as client:
        answer = plain_answer(await client.post(receiver.url, b"{}", {}))
    assert (answer.meaning, answer.status, answer.address) == (meaning, status, "127.0.0.1")
    assert answer.text == (None if status == 204 else "the reason")


async def test_the_end_of_an_endless_body_is_not_waited_for() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            await writer.drain()
            sent += 0x2000

    async with raw_server(endless) as url, client_of(timeout="15s") as client:
        async with asyncio.timeout(5):
            reply = await client.post(url, b"{}", {})
    assert reply.status == 500
    assert len(reply.body) == 16 * 1024
    assert sent < 8 * 1024 * 1024


async def test_a_2xx_whose_body_drips_has_succeeded_all_the_same() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_server(drip) as url, client_of(timeout="15s") as client:
        async with asyncio.timeout(5):
            reply = await client.post(url, b"{}", {})
    assert plain_answer(reply).meaning is Meaning.DELIVERED


async def test_a_receiver_that_says_nothing_is_given_up_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(silent) as url, client_of() as client:
        reply = await client.post(url, b"{}", {})
    assert (reply.status, reply.error) == (None, "no answer within 1 s")
    assert 900 < reply.ms < 3000


@pytest.mark.parametrize("said", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 500 No\r\nX: " + b"y" * 100_000, b"HTTP/1.1 abc\r\n\r\n"])
async def test_an_answer_that_is_no_http_is_a_failure_in_words(said: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    async with raw_server(talk) as url, client_of() as client:
        reply = await client.post(f"{url}secret-path", b"{}", {})
    assert reply.status is None
    assert reply.error
    assert "secret-path" not in reply.error


async def test_a_refused_connection_names_the_host() -> None:
    async with client_of() as client:
        reply = await client.post("http://127.0.0.1:9/secret-path", b"{}", {})
    assert "no connection to 127.0.0.1:9" in str(reply.error)
    assert "secret-path" not in str(reply.error)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_the_guard_stops_every_way_to_say_loopback_before_a_connection(host: str) -> None:
    async with receiving() as receiver, client_of(allow=[]) as client:
        port = receiver.url.rsplit(":", 1)[1]
        reply = await client.post(f"http://{host}:{port}/", b"{}", {})
    assert receiver.calls == []
    assert reply.status is None
    assert reply.error


async def test_the_guard_names_address_reason_and_remedy() -> None:
    async with client_of(allow=[]) as client:
        reply = await client.post("http://127.0.0.1:80/", b"{}", {})
    assert reply.error == "address 127.0.0.1 is loopback: add it to network.allow to let webhooks reach it"


async def test_an_address_is_checked_when_it_is_connected_to_not_when_the_name_was_first_seen() -> None:
    """A name that leads elsewhere at the second look-up: what counts is where the connection goes."""
    async with receiving() as receiver, client_of(allow=[]) as client:
        port = receiver.url.rsplit(":", 1)[1]

        async def rebound(host: str, *args: object, **kwargs: object) -> list[dict[str, object]]:
            return [{"hostname": host, "host": "127.0.0.1", "port": int(port), "family": 2, "proto": 6, "flags": 0}]

        client._direct.kept.connector._resolver.resolve = rebound  # type: ignore[union-attr, method-assign]
        reply = await client.post(f"http://public.example:{port}/", b"{}", {})
    assert receiver.calls == []
    assert "is loopback" in str(reply.error)


async def test_proxies_and_logins_of_the_environment_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password elsewhere\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with client_of() as client:
            await client.post(f"{receiver.url}/hook", b"{}", {})
    assert proxy.calls == []
    (call,) = receiver.calls
    assert "authorization" not in call.headers


async def test_connections_are_used_again() -> None:
    peers = set()

    async def note(call: Call) -> int:
        return 200

    async with receiving(note) as receiver, client_of() as client:
        for _ in range(5):
            await client.post(receiver.url, b"{}", {})
        pooled = client._direct.kept.connector._conns  # type: ignore[union-attr]
        peers = {len(connections) for connections in pooled.values()}
    assert peers == {1}


@pytest.mark.parametrize(("status", "seconds"), [(429, 30.0), (503, 30.0), (500, None)])
def test_retry_after_counts_on_429_and_503(status: int, seconds: float | None) -> None:
    reply = Reply(1.0, status, {"Retry-After": "30"})
    assert plain_answer(reply).retry_after == seconds


@pytest.mark.parametrize("absurd", ["Fri, 31 Dec 99999999999999999999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -0500", "soon"])
def test_an_absurd_retry_after_leaves_the_delivery_to_its_schedule(absurd: str) -> None:
    answer = plain_answer(Reply(1.0, 429, {"Retry-After": absurd}))
    assert answer.retry_after is None
    assert judge(answer, 1, RetryPolicy((7.0,)), 0.0).wait == 7.0


async def test_a_receivers_date_tells_that_our_clock_is_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clock_check, "SHARED", clock_check.ClockCheck())

    async def of_old(call: Call) -> web.Response:
        return web.Response(status=401, headers={"Date": "Tue, 21 Jan 2025 12:00:00 GMT"})

    async with receiving(of_old) as receiver, client_of() as client:
        for _ in range(3):
            await client.post(receiver.url, b"{}", {})
    assert caplog.text.count("minutes ahead of that of 127.0.0.1: receivers refuse signatures") == 1

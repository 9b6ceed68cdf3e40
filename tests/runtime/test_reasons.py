"""Why a request failed, in our own words, whoever raised it and however often it was wrapped."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import httpx
import pytest
from httpx_aiohttp import AiohttpTransport

from runtime.reasons import reason_of
from tests.certificates import self_signed, serving

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"garbage hunter2hunter2\r\n\r\n")
    await writer.drain()
    writer.close()


async def refuse_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 This is HTTP\r\n\r\n")
    await writer.drain()
    writer.close()


async def end_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhunter2hunter2")
    await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def server(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(reader, writer)

    started = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with started:
        yield f"127.0.0.1:{started.sockets[0].getsockname()[1]}"


async def failure_of(url: str, context: ssl.SSLContext | None = None) -> tuple[BaseException, BaseException]:
    """What aiohttp raises, and what httpx over aiohttp raises."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(url, ssl=context or True) as response:
                await response.read()
            raise AssertionError("it succeeded")
        except aiohttp.ClientError as error:
            first = error
    connector = aiohttp.TCPConnector
    async with httpx.AsyncClient(
        transport=AiohttpTransport(client=lambda: aiohttp.ClientSession(connector=connector(ssl=context or True)))
    ) as client:
        try:
            await client.get(url)
            raise AssertionError("it succeeded")
        except (httpx.HTTPError, aiohttp.ClientError) as error:
            return first, error


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (close, "the server closed the connection without an answer"),
        (reset, "connection reset by peer"),
        (garble, "the answer is not HTTP"),
        (end_early, "the answer ended before its body did"),
    ],
)
async def test_a_server_that_breaks_off_is_named_without_what_it_said(talk: Talk, reason: str) -> None:
    async with server(talk) as host:
        for error in await failure_of(f"http://{host}/hooks/hunter2hunter2"):
            assert reason_of(error) == reason


async def test_a_port_where_nobody_listens_refuses() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        for error in await failure_of(f"http://127.0.0.1:{free.getsockname()[1]}/"):
            assert reason_of(error) == "connection refused"


async def test_a_server_that_does_not_speak_tls_is_said_to_do_so() -> None:
    async with server(refuse_tls) as host:
        for error in await failure_of(f"https://{host}/"):
            assert reason_of(error) == "the server does not speak TLS here"


@pytest.mark.parametrize(
    ("trusted", "ended", "host", "reason"),
    [
        (False, False, "127.0.0.1", "the certificate is self-signed"),
        (True, True, "127.0.0.1", "the certificate has expired"),
        (True, False, "elsewhere.test", "the certificate is for another address"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_named(
    tmp_path: Path, trusted: bool, ended: bool, host: str, reason: str
) -> None:
    pem = self_signed(tmp_path, host, ended=ended)
    async with server(close, serving(pem)) as address:
        for error in await failure_of(f"https://{address}/", ssl.create_default_context(cafile=pem if trusted else None)):
            assert reason_of(error) == reason


def test_of_an_unknown_error_only_its_class_remains() -> None:
    assert reason_of(RuntimeError("https://user:hunter2@host/")) == "RuntimeError"
    assert reason_of(OSError(99999, "hunter2")) == "OSError"
    assert reason_of(TimeoutError("hunter2")) == "timed out"
    assert reason_of(socket.gaierror(-2, "hunter2")) == "the host name has no address"

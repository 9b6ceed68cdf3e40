"""Servers on 127.0.0.1 that answer as a test says, and the providers' HTTP client for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from runtime.clock import ManualClock
from runtime.http import ProviderHttp
from runtime.rate import RateLimit
from tests.producers.answering import Answering, answering, json_answer

NOW = datetime(2025, 1, 21, 12, tzinfo=UTC)
Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def client(url: str, clock: ManualClock | None = None, **settings: Any) -> ProviderHttp:
    clock = clock or ManualClock(NOW)
    asked = {"timeout_s": 5.0, "max_body_bytes": 100_000, **settings}
    return ProviderHttp(url, rate=RateLimit(1000, clock), clock=clock, **asked)


@asynccontextmanager
async def served(respond: Respond, **settings: Any) -> AsyncIterator[tuple[ProviderHttp, Answering]]:
    async with answering(respond) as server:
        http = client(server.url, **settings)
        try:
            yield http, server
        finally:
            await http.aclose()


@asynccontextmanager
async def raw(answer: bytes, *, then_reset: bool = False) -> AsyncIterator[str]:
    """A server that answers every request with these bytes and closes the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if then_reset:
            writer.transport.abort()
        else:
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def in_turn(*responses: Callable[[], web.Response]) -> Respond:
    """Each response once, the last one for ever."""
    waiting = list(responses)

    async def respond(request: web.Request) -> web.StreamResponse:
        return (waiting.pop(0) if len(waiting) > 1 else waiting[0])()

    return respond


def always(document: object = None, status: int = 200, **headers: str) -> Respond:
    return in_turn(lambda: json_answer(document, status, **headers))

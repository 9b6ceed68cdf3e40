"""Providers and receivers that echo what they were sent, in many encodings, and break off in many ways."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import html
import itertools
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote, quote_plus

from aiohttp import web

Head = str
Say = Callable[[Head], bytes]


def lower_hex(quoted: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)


def echoes(text: str) -> str:
    """A text in each form that a server may echo it in."""
    escaped = json.dumps(text)
    forms = [
        text,
        quote(text),
        lower_hex(quote(text, safe="")),
        quote_plus(text),
        escaped,
        json.dumps(escaped),
        html.escape(text),
    ]
    return "\n".join(
        [*forms, repr(text), base64.b64encode(text.encode()).decode(), base64.urlsafe_b64encode(text.encode()).decode()]
    )


async def echo_with(request: web.Request, status: int) -> web.Response:
    text = await request.text()
    shown = "\n".join(
        [f"{request.method} {request.path_qs}", *(f"{name}: {value}" for name, value in request.headers.items()), text]
    )
    headers = {}
    if 300 <= status < 400:
        headers["Location"] = f"https://elsewhere.test/?{quote(request.headers.get('Authorization', request.path_qs))}"
    beginning = request.headers.get("Authorization", request.path_qs)  # before all else, since only the beginning is kept
    return web.Response(status=status, text=f"{echoes(beginning)}\n{shown}\n{echoes(shown)}", headers=headers)


def hostile_provider(token: str) -> web.Application:
    """Redirects, fails, talks nonsense and refuses in turn. TheTVDB's login gives a token first."""
    statuses = itertools.cycle([302, 500, 200, 404, 403, 503, 500, 401])

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("/login"):
            return web.json_response({"token": token})
        return await echo_with(request, next(statuses))

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    return app


@contextlib.asynccontextmanager
async def talking(say: Say, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that reads a request's head, says what `say` makes of it, and breaks off. `host:port`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(say(head.decode("latin-1")))
            await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def nothing(_: Head) -> bytes:
    return b""


def no_http(head: Head) -> bytes:
    return f"NOT/HTTP {echoes(head)}\r\n\r\n".encode()


def bad_header(head: Head) -> bytes:
    return f"HTTP/1.1 500 {quote(head)[:200]}\r\nX Y Z: {quote(head)}\r\n{head}\r\n\r\n".encode()


def half_a_body(head: Head) -> bytes:
    return b"HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n" + echoes(head).encode()


def cut_within_the_secrets(head: Head) -> bytes:
    """A body that ends after the first characters of each secret of the head, whatever the client reads of it."""
    path = head.split()[1]
    return b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n" + b"x" * 2000 + path.encode()[:-4]

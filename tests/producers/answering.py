"""A real HTTP server on 127.0.0.1 whose answers a test writes: for the shapes that a provider can give and a sandbox does not."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


NOT_ITS_OWN = (
    b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>",
    b'{"message":"Not Found"}',
    b'{"detail":{"code":5}}',
    b'{"status_code":"34"}',
    b"{}",
    b"[]",
    b"",
    b"\xff\xfe",
)
"""What gateways, firewalls and maintenance pages answer in a provider's place."""


@dataclass
class Answering:
    """`url` has no slash at its end. `requests`: as `METHOD /path?query`, in the order in which they came."""

    url: str = ""
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def count(self, start: str) -> int:
        """How many requests begin with this."""
        return sum(request.startswith(start) for request in self.requests)


@asynccontextmanager
async def answering(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Answering]:
    """Serve until the block ends."""
    served = Answering()

    async def handle(request: web.Request) -> web.StreamResponse:
        served.requests.append(f"{request.method} {request.path_qs}")
        served.headers.append(dict(request.headers))
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    served.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await runner.cleanup()


def json_answer(document: object, status: int = 200, **headers: str) -> web.Response:
    return web.Response(
        body=orjson.dumps(document),
        status=status,
        content_type="application/json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )

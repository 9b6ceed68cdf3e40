"""A receiver as a process of its own, so that what else runs in a test does not delay what it notes: `python -m
tests.sinks.receiver_process`. It prints its URL. POST to /NAME/MS is answered after so many milliseconds; GET /NAME gives its calls:
when they came and when they were answered, by this process's monotonic clock, and their x-worker header."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict

import orjson
from aiohttp import web

_calls: dict[str, list[list[float | str | None]]] = defaultdict(list)


async def _take(request: web.Request) -> web.Response:
    call: list[float | str | None] = [time.monotonic(), None, request.headers.get("x-worker")]
    _calls[request.match_info["name"]].append(call)
    await request.read()
    await asyncio.sleep(int(request.match_info["ms"]) / 1000)
    call[1] = time.monotonic()
    return web.Response(text="ok")


async def _tell(request: web.Request) -> web.Response:
    return web.Response(body=orjson.dumps(_calls[request.match_info["name"]]), content_type="application/json")


async def main() -> None:
    app = web.Application()
    app.router.add_post("/{name}/{ms}", _take)
    app.router.add_get("/{name}", _tell)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

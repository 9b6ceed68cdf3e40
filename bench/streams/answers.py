"""The provider: a process that answers every entity from memory. `python -m bench.streams.answers` prints its port."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web

from bench.streams.workload import document


async def _answer(request: web.Request) -> web.Response:
    number = int(request.match_info["number"].split("-", 1)[0], 16)
    version = request.app["asked"][number] = request.app["asked"].get(number, 0) + 1
    return web.Response(
        body=orjson.dumps({"version": version, "fields": document(number, version)}), content_type="application/json"
    )


async def main() -> None:
    app = web.Application()
    app["asked"] = {}
    app.add_routes([web.get("/assets/{number}", _answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

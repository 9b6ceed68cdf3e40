"""TMDB and PBS with an outage's changes, answering from memory, and what was asked of them when.

`python -m bench.catchup.provider OUTAGE` prints its port. From the first request on a movie that has not changed before is listed
every second, a probe.
"""

from __future__ import annotations

import asyncio
import sys
import time
from array import array
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from urllib.parse import urlencode

import orjson
from aiohttp import web

from bench.catchup.world import PROBES_FROM, Outage, pbs_entry, tmdb_item
from changecast.leash import end_with_parent

_LIST_PAGE = 100
_PROBE_EVERY_S = 1.0


class CatchUp:
    def __init__(self, outage: Outage) -> None:
        self._outage = outage
        self._listed = outage.listed()
        self._arrivals = {"tmdb": array("d"), "pbs": array("d")}
        self._probes: dict[int, float] = {}
        self._asked = asyncio.Event()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._count])
        app.add_routes(
            [
                web.get("/tmdb/{kind}/changes", self._list),
                web.get("/tmdb/{kind}/{id}/changes", self._changes),
                web.get("/pbs/changelog/", self._changelog),
                web.get("/bench", self._told),
            ]
        )
        return app

    async def probe(self) -> None:
        await self._asked.wait()
        while True:
            self._probes[PROBES_FROM + len(self._probes)] = time.time()
            await asyncio.sleep(_PROBE_EVERY_S)

    @web.middleware
    async def _count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        arrivals = self._arrivals.get(request.path.split("/")[1])
        if arrivals is not None:
            arrivals.append(time.monotonic())
            self._asked.set()
        return await handler(request)

    async def _list(self, request: web.Request) -> web.Response:
        day = date.fromisoformat(request.query["start_date"])
        ids = self._listed.get(day, [])[::-1]  # what changed last comes first, as in recorded lists
        if request.match_info["kind"] == "movie":
            ids = [*(probe for probe, shown in reversed(self._probes.items()) if _day(shown) == day), *ids]
        page = int(request.query["page"])
        results = [{"id": number, "adult": False} for number in ids[(page - 1) * _LIST_PAGE : page * _LIST_PAGE]]
        return _json({"results": results, "page": page, "total_pages": -(-len(ids) // _LIST_PAGE), "total_results": len(ids)})

    async def _changes(self, request: web.Request) -> web.Response:
        start, end = (date.fromisoformat(request.query[name]) for name in ("start_date", "end_date"))
        number = int(request.match_info["id"])
        if number in self._probes:
            items = [tmdb_item(number, datetime.fromtimestamp(self._probes[number], UTC))]
        else:
            items = self._outage.items_of(request.match_info["kind"], number, start, end)
        return _json({"changes": [{"key": "overview", "items": items}] if items else []})

    async def _changelog(self, request: web.Request) -> web.Response:
        query = request.query
        since = datetime.fromisoformat(query["since"]) if "since" in query else None
        page, size = int(query.get("page", "1")), int(query.get("page-size", "25"))
        first = self._outage.entries_from(since) + (page - 1) * size
        behind = min(first + size, self._outage.entries)
        link = None
        if behind < self._outage.entries:
            others = [(key, value) for key, value in query.items() if key != "page"]
            link = f"{request.url.origin()}/pbs/changelog/?{urlencode([*others, ('page', page + 1)])}"
        entries = [pbs_entry(number, self._outage.entry_time(number)) for number in range(first, behind)]
        return _json({"data": entries, "links": {"next": link}})

    async def _told(self, _request: web.Request) -> web.Response:
        """Requests of each provider, the most that came within any second, and when each probe was first listed."""
        asked = {name: {"requests": len(times), "peak": most_in_a_second(times)} for name, times in self._arrivals.items()}
        return _json({"asked": asked, "probes": {str(probe): shown for probe, shown in self._probes.items()}})


def most_in_a_second(times: array[float]) -> int:
    """The most of these moments, in seconds and ascending, that lie within one second."""
    most = first = 0
    for index, moment in enumerate(times):
        while times[first] <= moment - 1:
            first += 1
        most = max(most, index - first + 1)
    return most


def _day(moment: float) -> date:
    return datetime.fromtimestamp(moment, UTC).date()


def _json(document: object) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")


async def main(outage: Outage) -> None:
    catch_up = CatchUp(outage)
    runner = web.AppRunner(catch_up.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await catch_up.probe()


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(main(Outage.from_json(sys.argv[1])))

"""A changelog that a test fills as it likes: filtered, sorted and paged as Media Manager does it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from producers.interface import Page
from producers.pbs import PbsProvider
from runtime.clock import ManualClock
from runtime.rate import RateLimit
from schemas.config import Pbs
from schemas.cursor import Cursor
from tests.producers.answering import Answering, answering, json_answer

NOON = datetime(2031, 3, 5, 12, tzinfo=UTC)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def entry(moment: datetime, cid: Any = "aa11", kind: str = "asset", action: str = "update", **more: Any) -> dict[str, Any]:
    """An entry as Media Manager writes it. `url` and `updated_fields` may be given."""
    attributes = {"action": action, "timestamp": stamp(moment)}
    if "updated_fields" in more:
        attributes["updated_fields"] = more["updated_fields"]
    return {"id": cid, "type": kind, "links": {"self": more.get("url")}, "attributes": attributes}


@dataclass
class Changelog:
    """`entries` in any order; each shows once the clock has come to `visible[id(entry)]`, if that is given. `largest`: entries a
    page. `inclusive`: whether `since` is. `answer_s`: how long an answer takes by the clock."""

    clock: ManualClock
    entries: list[dict[str, Any]] = field(default_factory=list)
    largest: int = 50
    inclusive: bool = True
    faults: list[web.Response] = field(default_factory=list)
    link_host: str = "http://media.example.org"
    answer_s: float = 0.0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.clock.advance(self.answer_s)
        date = format_datetime(self.clock.now(), usegmt=True)
        if self.faults and (fault := self.faults.pop(0)).status != 299:  # 299: this one passes
            return fault
        since = request.query.get("since", "")
        found = [
            item
            for item in self.entries
            if (key := str(item["attributes"]["timestamp"])) > since or (self.inclusive and key == since)
        ]
        kinds = request.query.getall("type", [])
        ids = request.query.getall("id", [])
        found = [item for item in found if (not kinds or item["type"] in kinds) and (not ids or item["id"] in ids)]
        found.sort(key=lambda item: str(item["attributes"]["timestamp"]), reverse=request.query.get("sort") != "timestamp")
        size = min(int(request.query.get("page-size", 25)), self.largest)
        number = int(request.query.get("page", 1))
        shown = found[(number - 1) * size : number * size]
        if number > 1 and not shown:
            return json_answer({"detail": "Invalid page."}, 404, Date=date)
        following = [(key, value) for key, value in request.query.items() if key != "page"]
        query = urlencode([("page", str(number + 1)), *following])
        more = f"{self.link_host}/api/v1/changelog/?{query}" if number * size < len(found) else None
        return json_answer({"data": shown, "links": {"next": more}, "jsonapi": {"version": "1.0"}}, Date=date)


@dataclass
class Reader:
    """The provider under test, with the clock that it and the server share."""

    provider: PbsProvider
    clock: ManualClock
    changelog: Changelog
    server: Answering
    settings: Pbs
    cursor: Cursor | None = None

    async def poll(self) -> list[Page]:
        """One poll, its pages kept as the worker does: the cursor behind the last page is where the next poll begins. Without the
        empty page by which a first start keeps its beginning."""
        pages = []
        first = self.cursor is None
        async for page in self.provider.feeds[0].poll(self.cursor):
            pages.append(page)
            self.cursor = page.cursor
        return pages[1:] if first else pages

    async def ids(self) -> list[str]:
        """The ids of one poll's events."""
        return [event.id for page in await self.poll() for event in page.events]

    async def restart(self) -> None:
        """Another process: of all that was known, only the cursor is left."""
        await self.provider.aclose()
        self.provider = PbsProvider(self.settings, RateLimit(1000, self.clock), self.clock)
        if self.cursor is not None:
            self.cursor = Cursor.model_validate_json(self.cursor.to_json())

    def query(self, index: int = -1) -> str:
        return self.server.requests[index].partition("?")[2]


@asynccontextmanager
async def reader(*, now: datetime = NOON, **settings: Any) -> AsyncIterator[Reader]:
    clock = ManualClock(now)
    changelog = Changelog(clock)
    async with answering(changelog.answer) as server:
        section = Pbs(key="key-1", secret="secret-1", base_url=f"{server.url}/api/v1", **settings)
        feed = Reader(PbsProvider(section, RateLimit(1000, clock), clock), clock, changelog, server, section)
        try:
            yield feed
        finally:
            await feed.provider.aclose()


def ago(**delta: float) -> datetime:
    return NOON - timedelta(**delta)

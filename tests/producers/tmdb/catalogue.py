"""A TMDB of the tests' own, behind a real HTTP server: it holds what a test puts in, and shows it as TMDB does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from producers.interface import BrokenItem, Page
from producers.set_aside import SetAside
from producers.tmdb import TmdbProvider
from runtime.clock import ManualClock
from runtime.http import ProviderError
from runtime.rate import RateLimit
from schemas.config.models import Tmdb
from schemas.cursor import Cursor
from schemas.event import ObservedEvent
from tests.producers.answering import Answering, answering, json_answer

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)
TODAY = NOON.date()
TOKEN = "a-token-of-the-tests"

ERRORS = {
    7: (401, "Invalid API key: You must be granted a valid key."),
    20: (422, "Invalid date range: Should be a range no longer than 14 days."),
    22: (400, "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer."),
    25: (429, "Your request count is over the allowed limit."),
    34: (404, "The resource you requested could not be found."),
}

Override = Callable[[web.Request], "web.StreamResponse | None"]


def error_answer(code: int, **headers: str) -> web.Response:
    status, message = ERRORS[code]
    return json_answer({"status_code": code, "status_message": message, "success": False}, status, **headers)


@dataclass
class Catalogue:
    """`items` by route and id (`("tv/season", 3624)`), `documents` by path. `missing`: ids that the lists mark as no longer
    existing. `ahead`: of the test's clock, which is ours. `end_counts`: whether the end day is counted in.

    An override sees each request first; what it returns is the answer.
    """

    items: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)
    documents: dict[str, Any] = field(
        default_factory=lambda: {"configuration": {"images": {"base_url": "https://pictures.example/"}}}
    )
    missing: set[int] = field(default_factory=set)
    ahead: timedelta = timedelta()
    overrides: list[Override] = field(default_factory=list)
    end_counts: bool = True
    page_size: int = 100
    made: int = 0
    readers: list[TmdbProvider] = field(default_factory=list)

    def edit(
        self,
        route: str,
        entity_id: int,
        key: str = "overview",
        time: datetime = NOON,
        action: str | None = "updated",
        **more: Any,
    ) -> str:
        """Record an item; returns its id."""
        self.made += 1
        item_id = f"{self.made:024x}"
        stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC")
        item = {"id": item_id, "action": action, "time": stamp, "iso_639_1": "", "iso_3166_1": "", **more}
        self.items.setdefault((route, entity_id), []).append({"key": key, "item": item})
        return item_id

    def edit_episode(self, series: int, season: int, episode: int, numbers: tuple[int, int], time: datetime = NOON) -> str:
        """An edit of an episode, with the pointers to it that TMDB makes."""
        self.point(series, season, numbers[0], time)
        self.edit("tv/season", season, "episode", time, value={"episode_id": episode, "episode_number": numbers[1]})
        return self.edit("tv/episode", episode, "overview", time, value="They meet.")

    def point(self, series: int, season: int, number: int, time: datetime = NOON) -> str:
        return self.edit("tv", series, "season", time, value={"season_id": season, "season_number": number})

    def requests_of(self, served: Answering, part: str) -> list[str]:
        return [request for request in served.requests if part in request]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        for override in self.overrides:
            response = override(request)
            if response is not None:
                return response
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return error_answer(7)
        path = request.path.strip("/")
        if path in self.documents:
            return json_answer(self.documents[path])
        if not path.endswith("/changes"):
            return error_answer(34)
        start, end = (date.fromisoformat(request.query[name]) for name in ("start_date", "end_date"))
        if end - start > timedelta(days=14):
            return error_answer(20)
        route, _, entity_id = path.removesuffix("/changes").rpartition("/")
        if route:
            return self._changes(route, int(entity_id), start, end)
        return self._list(entity_id, start, end, int(request.query.get("page", "1")))

    def _changes(self, route: str, entity_id: int, start: date, end: date) -> web.Response:
        if (route, entity_id) not in self.items:
            return error_answer(34)
        groups: dict[str, list[dict[str, Any]]] = {}
        for entry in self.items[route, entity_id]:
            if self._within(entry["item"], start, end):
                groups.setdefault(entry["key"], []).append(entry["item"])
        return json_answer({"changes": [{"key": key, "items": items} for key, items in groups.items()]})

    def _list(self, kind: str, start: date, end: date, page: int) -> web.Response:
        if not 1 <= page <= 500:
            return error_answer(22)
        ids = [
            entity_id
            for (route, entity_id), entries in self.items.items()
            if route == kind and any(self._within(entry["item"], start, end) for entry in entries)
        ]
        shown = ids[(page - 1) * self.page_size : page * self.page_size]
        pages = -(-len(ids) // self.page_size)
        results = [{"id": entity_id, "adult": None if entity_id in self.missing else False} for entity_id in shown]
        return json_answer({"results": results, "page": page, "total_pages": pages, "total_results": 1})

    def _within(self, item: dict[str, Any], start: date, end: date) -> bool:
        day = date.fromisoformat(str(item.get("time", ""))[:10]) if item.get("time") else TODAY
        return start <= day <= end if self.end_counts else start <= day < end


@dataclass
class Reader:
    """Polls a feed as the worker does: it takes each page, and hands the last cursor to the next poll."""

    provider: TmdbProvider
    catalogue: Catalogue
    served: Answering
    clock: ManualClock
    cursor: Cursor | None = None
    events: list[ObservedEvent] = field(default_factory=list)
    broken: list[BrokenItem] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    set_aside: SetAside = field(default_factory=lambda: SetAside("tmdb:movie"))

    async def poll(self, feed: str = "movie") -> list[ObservedEvent]:
        """One poll; returns the events it brought that were not there before, in their order."""
        known = {event.id for event in self.events}
        [polled] = [candidate for candidate in self.provider.feeds if candidate.name == feed]
        async for page in polled.poll(self.cursor):
            self.take(page)
        return [event for event in self.events if event.id not in known]

    async def poll_in_trouble(self) -> ProviderError | None:
        """A poll that may be broken off; returns by what."""
        try:
            await self.poll()
        except ProviderError as problem:
            return problem
        return None

    def take(self, page: Page) -> None:
        self.cursor = page.cursor
        self.pages.append(page)
        new = self.set_aside.new(page.broken, self.clock.now())
        self.set_aside.add(mark for _, mark in new)
        self.broken += [item for item, _ in new]
        known = {event.id for event in self.events}
        self.events += {event.id: event for event in page.events if event.id not in known}.values()

    def asked(self, part: str) -> list[str]:
        return [request for request in self.served.requests if part in request]

    def reborn(self, **settings: Any) -> Reader:
        """A process that starts anew from the cursor."""
        provider = provider_of(self.served.url, self.clock, **settings)
        self.catalogue.readers.append(provider)
        return Reader(provider, self.catalogue, self.served, self.clock, self.cursor, list(self.events))


def provider_of(url: str, clock: ManualClock, **settings: Any) -> TmdbProvider:
    asked = {"watch": {"movie": "all", "tv": "all", "person": "all"}, **settings}
    return TmdbProvider(Tmdb(token=SecretStr(TOKEN), base_url=url, **asked), RateLimit(10_000, clock), clock)


@asynccontextmanager
async def tmdb(now: datetime = NOON, **settings: Any) -> AsyncIterator[Reader]:
    """A TMDB, and a reader of it whose clock stands at `now`."""
    catalogue, clock = Catalogue(), ManualClock(now)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = await catalogue.answer(request)
        response.headers.setdefault("Date", format_datetime(clock.now() + catalogue.ahead, usegmt=True))
        return response

    async with answering(answer) as served:
        provider = provider_of(served.url, clock, **settings)
        catalogue.readers.append(provider)
        try:
            yield Reader(provider, catalogue, served, clock)
        finally:
            for reader in catalogue.readers:
                await reader.aclose()

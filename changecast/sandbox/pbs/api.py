"""PBS Media Manager's routes: the changelog, and every entity by its id.

The changelog's reference page is the source; error bodies are those of the framework that the real API shows itself to
be made with.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

from aiohttp import web

from changecast.sandbox.api import ApiContext, base_url, json_response, whole_number
from changecast.sandbox.edit import JsonObject
from changecast.sandbox.pbs.catalogue import PLURALS, Entity, Entry, PbsCatalogue
from changecast.sandbox.pbs.documents import document, entry_document

PREFIX = "/pbs/api/v1"
PAGE_SIZE = 25
LARGEST_PAGE = 50
CLIPS_PLATFORM = "partnerplayer"


class PbsApi:
    """The application. It only reads the catalogue."""

    def __init__(self, context: ApiContext, catalogue: PbsCatalogue) -> None:
        self._context = context
        self._catalogue = catalogue
        pair = f"{context.credentials.pbs_key}:{context.credentials.pbs_secret}"
        self._authorization = "Basic " + base64.b64encode(pair.encode()).decode()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/changelog/", self._changelog),
                *(web.get(f"/{word}/{{id}}/", self._entity(kind)) for kind, word in PLURALS.items()),
                web.get("/{rest:.*}", self._nothing_here),
            ]
        )
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        given = request.headers.get("Authorization")
        if given != self._authorization:
            missing = "Authentication credentials were not provided."
            detail = "Invalid username/password." if given else missing
            return json_response({"detail": detail}, 401, {"WWW-Authenticate": 'Basic realm="api"'})
        return await handler(request)

    async def _nothing_here(self, request: web.Request) -> web.Response:
        if not request.path.endswith("/"):
            query = f"?{request.query_string}" if request.query_string else ""
            return web.Response(status=301, headers={"Location": f"{request.path}/{query}"})
        return _not_found()

    def _entity(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            entity = self._catalogue.find(request.match_info["id"])
            if entity is None or entity.type != kind:
                return _not_found()
            if not (self._catalogue.readable(entity) and self._on_platform(entity, request.query.getall("platform-slug", []))):
                detail = "You do not have permission to perform this action."
                return json_response({"detail": detail}, 403)
            return json_response(document(self._catalogue, entity, base_url(request) + PREFIX))

        return handler

    def _on_platform(self, entity: Entity, named: list[str]) -> bool:
        """Whether the entity is on all platforms, or on one of those that the request names."""
        elsewhere = self._context.quirks.pbs_platforms and entity.attributes.get("object_type") == "clip"
        return not elsewhere or CLIPS_PLATFORM in named

    async def _changelog(self, request: web.Request) -> web.Response:
        query = request.query
        try:
            since = parse_since(query.getall("since", []))
        except ValueError as error:
            return json_response({"since": [str(error)]}, 400)
        entries = self._matching(request, since)
        size = min(max(whole_number(query.get("page-size", ""), PAGE_SIZE), 1), LARGEST_PAGE)
        page = whole_number(query.get("page", ""), 1)
        last = max(1, -(-len(entries) // size))
        if not 1 <= page <= last:
            return json_response({"detail": "Invalid page."}, 404)
        base = base_url(request) + PREFIX
        null_ids = self._context.quirks.pbs_null_ids
        shown = [entry_document(entry, base, null_ids) for entry in entries[(page - 1) * size : page * size]]
        pagination = {"count": len(entries), "per_page": size}
        return json_response(
            {
                "data": shown,
                "links": _links(request, f"{base}/changelog/", page, last, bool(entries)),
                "meta": _meta(f"{base}/changelog/", pagination),
                "jsonapi": {"version": "1.0"},
            }
        )

    def _matching(self, request: web.Request, since: float | None) -> list[Entry]:
        """The entries that the query asks for, in its order: newest first unless `sort=timestamp` asks otherwise."""
        query = request.query
        types, actions = set(query.getall("type", [])), set(query.getall("action", []))
        ids = set(query.getall("id", []))
        found = [
            entry
            for entry in self._catalogue.since(since, self._context.quirks.pbs_since_inclusive)
            if (not types or entry.type in types) and (not actions or entry.action in actions) and (not ids or entry.id in ids)
        ]
        return found if query.get("sort") == "timestamp" else found[::-1]


def parse_since(values: list[str]) -> float | None:
    """Unix seconds of the `since` parameter. Raises ValueError for several of them, or for one that is no date and time."""
    if not values:
        return None
    if len(values) > 1:
        raise ValueError("Only one since parameter is supported.")
    try:
        moment = datetime.fromisoformat(values[0])
    except ValueError as error:
        raise ValueError("Enter a valid date/time.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _links(request: web.Request, address: str, page: int, last: int, any_at_all: bool) -> JsonObject:
    """Absolute links that keep the query; the first page's has no page number."""
    others = sorted((key, value) for key, value in request.query.items() if key != "page")

    def link(number: int) -> str:
        query = ([("page", str(number))] if number > 1 else []) + others
        return f"{address}?{urlencode(query)}" if query else address

    return {
        "self": f"{address}?{request.query_string}" if request.query_string else address,
        "first": link(1) if any_at_all else None,
        "last": link(last) if any_at_all else None,
        "prev": link(page - 1) if page > 1 else None,
        "next": link(page + 1) if page < last else None,
    }


def _meta(address: str, pagination: JsonObject) -> JsonObject:
    return {
        "type": "collection",
        "pagination": pagination,
        "filter": {name: f"{address}?{name}=" for name in ("type", "action", "id", "since")},
        "sort": {
            "timestamp": {"asc": f"{address}?sort=timestamp", "desc": f"{address}?sort=-timestamp"},
        },
    }


def _not_found() -> web.Response:
    return json_response({"detail": "Not found."}, 404)

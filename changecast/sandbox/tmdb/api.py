"""TMDB's routes: change lists, changes, details, images, configuration.

Documented at developer.themoviedb.org; statuses and codes are those that client authors have recorded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from aiohttp import web

from changecast.sandbox.api import ApiContext, base_url, json_response
from changecast.sandbox.rates import SlidingWindow
from changecast.sandbox.tmdb import documents
from changecast.sandbox.tmdb.catalogue import Entity, TmdbCatalogue, grouped

PAGE = 100
LAST_PAGE = 500
LONGEST_WINDOW = timedelta(days=14)

ERRORS = {
    5: (422, "Invalid parameters: Your request parameters are incorrect."),
    7: (401, "Invalid API key: You must be granted a valid key."),
    20: (422, "Invalid date range: Should be a range no longer than 14 days."),
    22: (400, "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer."),
    25: (429, "Your request count is over the allowed limit."),
    34: (404, "The resource you requested could not be found."),
}


class TmdbError(Exception):
    """An answer that is an error; `code` is TMDB's own."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class TmdbApi:
    """The application. It only reads the catalogue."""

    def __init__(self, context: ApiContext, catalogue: TmdbCatalogue) -> None:
        self._context = context
        self._catalogue = catalogue
        self._window = SlidingWindow()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/configuration", self._configuration),
                *(web.get(f"/{word}/changes", self._list(kind)) for word, kind in _LISTED),
                *(web.get(f"/{word}/{{id:\\d+}}/changes", self._changes(kind)) for word, kind in _WITH_CHANGES),
                *(web.get(f"{path}/images", self._images(kind)) for path, kind in _ENTITY_PATHS),
                *(web.get(path, self._details(kind)) for path, kind in _ENTITY_PATHS),
                web.get("/{rest:.*}", self._nothing_here),
            ]
        )
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        limits = self._context.limits
        try:
            self._check(request)
            return await handler(request)
        except TmdbError as error:
            status, message = ERRORS[error.code]
            headers = {}
            if error.code == 25 and limits.tmdb_retry_after is not None:
                headers["Retry-After"] = str(limits.tmdb_retry_after)
            body = {"status_code": error.code, "status_message": message, "success": False}
            return json_response(body, status, headers)

    def _check(self, request: web.Request) -> None:
        """Raises TmdbError for a request too many, or one without the token."""
        if not self._window.take(self._context.monotonic(), self._context.limits.tmdb_per_second):
            raise TmdbError(25)
        if request.headers.get("Authorization") != f"Bearer {self._context.credentials.tmdb_token}":
            raise TmdbError(7)

    async def _nothing_here(self, _request: web.Request) -> web.Response:
        raise TmdbError(34)

    async def _configuration(self, request: web.Request) -> web.Response:
        return json_response(documents.configuration(base_url(request)))

    def _list(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            page = _page(request)
            start, end = self._asked_window(request)
            adult: list[dict[str, Any]] = [
                {"id": entity.id, "adult": bool(entity.details.get("adult", False))}
                for entity in self._catalogue.changed(kind, start, end)
            ]
            if self._context.quirks.tmdb_whole_list and "page" not in request.query:
                return json_response({"results": adult, "page": 1, "total_pages": 1, "total_results": 1})
            results = self._odd(adult[(page - 1) * PAGE : page * PAGE])
            pages = -(-len(adult) // PAGE)
            return json_response({"results": results, "page": page, "total_pages": pages, "total_results": len(adult)})

        return handler

    def _odd(self, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The page with the oddities that are switched on."""
        quirks = self._context.quirks
        odd = [dict(entry) for entry in results]
        if quirks.tmdb_null_adult:
            for entry in odd[::3]:
                entry["adult"] = None
        if quirks.tmdb_duplicate_ids:
            odd += odd[:1]
        if quirks.tmdb_null_ids and odd:
            odd.insert(len(odd) // 2, {"id": None, "adult": None})
        return odd

    def _changes(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            _page(request)  # TMDB takes the parameter, and answers whole all the same
            start, end = self._asked_window(request)
            entity = self._catalogue.find(kind, int(request.match_info["id"]))
            if entity is None:
                raise TmdbError(34)
            groups = grouped(change for change in entity.changes if start <= change[0] < end)
            if self._context.quirks.tmdb_open_words:
                groups = [{**group, "items": [_in_open_words(item) for item in group["items"]]} for group in groups]
            response = json_response({"changes": groups})
            if self._context.quirks.tmdb_bad_texts and isinstance(response.body, bytes):
                response.body = response.body.replace(b'"value":"', b'"value":"\\ud83d', 1)
            return response

        return handler

    def _asked_window(self, request: web.Request) -> tuple[float, float]:
        """[start, end) in Unix seconds: whole days, both named days included; the last 24 hours when none is named."""
        now = self._context.clock()
        with _bad_parameters():
            first, last = (
                date.fromisoformat(request.query[name]) if request.query.get(name) else None
                for name in ("start_date", "end_date")
            )
        if first is None and last is None:
            return now - 24 * 3600, now + 1
        last = last or datetime.fromtimestamp(now, UTC).date()
        first = first or last - timedelta(days=1)
        if not timedelta(0) <= last - first <= LONGEST_WINDOW:
            raise TmdbError(20)
        return _midnight(first), _midnight(last + timedelta(days=1))

    def _details(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            entity = self._asked_entity(kind, request)
            document = documents.details(self._catalogue, entity)
            for wanted in request.query.get("append_to_response", "").split(","):
                if wanted == "images":
                    document["images"] = documents.images(entity, *_image_languages(request))
                elif wanted == "external_ids":
                    document["external_ids"] = documents.external_ids(entity)
                elif wanted == "videos":
                    document["videos"] = {"results": entity.videos}
            return json_response(document)

        return handler

    def _images(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            entity = self._asked_entity(kind, request)
            return json_response({"id": entity.id, **documents.images(entity, *_image_languages(request))})

        return handler

    def _asked_entity(self, kind: str, request: web.Request) -> Entity:
        """The entity of a path that begins with one of `kind`; seasons and episodes are named by their numbers."""
        part = request.match_info
        entity = self._catalogue.find(kind, int(part["id"]))
        for number in ("season", "episode"):
            if entity is not None and number in part:
                entity = self._catalogue.child(entity, int(part[number]))
        if entity is None:
            raise TmdbError(34)
        return entity


_LISTED = (("movie", "movie"), ("tv", "series"), ("person", "person"))
_WITH_CHANGES = (*_LISTED, ("tv/season", "season"), ("tv/episode", "episode"))
_SEASON_PATH = "/tv/{id:\\d+}/season/{season:\\d+}"
_ENTITY_PATHS = (
    *((f"/{word}/{{id:\\d+}}", kind) for word, kind in _LISTED),
    (_SEASON_PATH, "series"),
    (f"{_SEASON_PATH}/episode/{{episode:\\d+}}", "series"),
)


_OPEN_WORDS = {"deleted": "destroyed", "updated": "revised"}


def _in_open_words(item: dict[str, Any]) -> dict[str, Any]:
    """An item with words that are in no reference page."""
    languages: dict[str, Any] = {name: item[name] or "xx" for name in ("iso_639_1", "iso_3166_1") if name in item}
    return {**item, **languages, "action": _OPEN_WORDS.get(item["action"], item["action"])}


@contextmanager
def _bad_parameters() -> Iterator[None]:
    """Turns a value that can't be read into TMDB's answer to it."""
    try:
        yield
    except ValueError as error:
        raise TmdbError(5) from error


def _page(request: web.Request) -> int:
    text = request.query.get("page", "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LAST_PAGE):
        raise TmdbError(22)
    return int(text)


def _image_languages(request: web.Request) -> tuple[str | None, frozenset[str]]:
    """`language` filters images, and `include_image_language` lets in others: codes, and `null` for those with none."""
    also = frozenset(code for code in request.query.get("include_image_language", "").split(",") if code)
    return request.query.get("language", "")[:2] or None, also


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()

"""TheTVDB's routes, version 2 and 3 of its API. The reference page is the source, but for texts of errors, which are
those that client authors have recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

import orjson
from aiohttp import web

from changecast.sandbox.api import ApiContext, json_response, whole_number
from changecast.sandbox.edit import JsonObject
from changecast.sandbox.tvdb import documents
from changecast.sandbox.tvdb.catalogue import LANGUAGES, Series, TvdbCatalogue
from changecast.sandbox.tvdb.tokens import Tokens

PAGE = 100
WEEK = 7 * 24 * 3600

_SEARCH_KEYS = ("name", "imdbId", "zap2itId", "slug")
_UPDATED_KEYS = ("fromTime", "toTime")
_IMAGE_KEYS = ("keyType", "resolution", "subKey")
_OPEN = ("/login",)


class TvdbError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def _no_results(query: dict[str, str]) -> TvdbError:
    shown = " ".join(f"{key}:{value}" for key, value in query.items())
    return TvdbError(404, f"No results for your query: map[{shown}]")


class TvdbApi:
    """The application. It only reads the catalogue."""

    def __init__(self, context: ApiContext, catalogue: TvdbCatalogue) -> None:
        self._context = context
        self._catalogue = catalogue
        self.tokens = Tokens()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        series = "/series/{id:\\d+}"
        app.add_routes(
            [
                web.post("/login", self._login),
                web.get("/refresh_token", self._refresh),
                web.get("/languages", self._languages),
                web.get("/languages/{id:\\d+}", self._language),
                web.get("/updated/query", self._updated),
                web.get("/updated/query/params", _params(_UPDATED_KEYS)),
                web.get("/search/series", self._search),
                web.get("/search/series/params", _params(_SEARCH_KEYS)),
                web.get("/episodes/{id:\\d+}", self._episode),
                web.get(series, self._series),
                web.get(f"{series}/filter", self._filter),
                web.get(f"{series}/filter/params", _params(documents.FILTER_KEYS)),
                web.get(f"{series}/actors", self._actors),
                web.get(f"{series}/episodes", self._episodes),
                web.get(f"{series}/episodes/query", self._episodes_query),
                web.get(f"{series}/episodes/query/params", _params(documents.EPISODE_QUERY)),
                web.get(f"{series}/episodes/summary", self._episodes_summary),
                web.get(f"{series}/images", self._images),
                web.get(f"{series}/images/query", self._images_query),
                web.get(f"{series}/images/query/params", self._images_params),
                web.route("*", "/{rest:.*}", self._nothing_here),
            ]
        )
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            self._check(request)
            response = await handler(request)
        except TvdbError as error:
            response = json_response({"Error": str(error)}, error.status)
        response.headers["X-Thetvdb-Api-Version"] = _version(request)
        return response

    def _check(self, request: web.Request) -> None:
        """Raises TvdbError for a request without a valid token, but for the one that gets it."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        known = scheme == "Bearer" and self.tokens.valid(token, self._context.clock())
        if not known and not request.path.endswith(_OPEN):
            raise TvdbError(401, "Not Authorized")

    async def _nothing_here(self, _request: web.Request) -> web.Response:
        raise TvdbError(404, "Not Found")

    async def _login(self, request: web.Request) -> web.Response:
        try:
            asked = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            asked = None
        if not isinstance(asked, dict) or asked.get("apikey") != self._context.credentials.tvdb_apikey:
            raise TvdbError(401, "Not Authorized")
        return self._new_token()

    async def _refresh(self, _request: web.Request) -> web.Response:
        return self._new_token()

    def _new_token(self) -> web.Response:
        token = self.tokens.make(self._context.clock(), self._context.limits.tvdb_token_lifetime)
        return json_response({"token": token})

    async def _languages(self, _request: web.Request) -> web.Response:
        return json_response({"data": [_language_document(row) for row in LANGUAGES]})

    async def _language(self, request: web.Request) -> web.Response:
        for row in LANGUAGES:
            if row[0] == int(request.match_info["id"]):
                return json_response(_language_document(row))
        raise TvdbError(404, f"ID: {request.match_info['id']} not found")

    async def _updated(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        start = whole_number(query.get("fromTime", ""), -1)
        if start < 0:
            raise TvdbError(405, "Missing query params")
        # "Any timespan larger than a week will be reduced down to one week automatically."
        end = min(whole_number(query.get("toTime", ""), start + WEEK), start + WEEK)
        found = self._catalogue.updated(start, end)
        if not found:
            raise _no_results(query)
        data = [{"id": series.id, "lastUpdated": series.last_updated} for series in found]
        return _answer(data, _unknown(query, _UPDATED_KEYS))

    async def _search(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        if not any(query.get(key) for key in _SEARCH_KEYS):
            raise TvdbError(405, "Missing query params")
        language = _language_of(request)
        keys = (
            "aliases",
            "banner",
            "firstAired",
            "id",
            "network",
            "overview",
            "seriesName",
            "slug",
            "status",
        )
        found = [
            {key: documents.series_document(series, language).get(key) for key in keys}
            for series in self._catalogue.every()
            if _matches_search(series, query)
        ]
        if not found:
            raise TvdbError(404, "Resource not found")
        return _answer(found, _unknown(query, _SEARCH_KEYS))

    async def _series(self, request: web.Request) -> web.Response:
        """Also answers HEAD: `Last-Modified` tells when the series was updated."""
        series, language = self._asked(request)
        response = _answer(documents.series_document(series, language), _untranslated(series.texts, language))
        response.headers["Last-Modified"] = formatdate(series.last_updated, usegmt=True)
        return response

    async def _filter(self, request: web.Request) -> web.Response:
        series, language = self._asked(request)
        keys = [key for key in request.query.get("keys", "").split(",") if key]
        if not keys:
            raise TvdbError(405, "Missing query params")
        document = documents.series_document(series, language)
        wrong = [key for key in keys if key not in documents.FILTER_KEYS]
        errors: JsonObject = {"invalidFilters": wrong} if wrong else {}
        return _answer({key: document.get(key) for key in keys if key not in wrong}, errors)

    async def _actors(self, request: web.Request) -> web.Response:
        series, _ = self._asked(request)
        return _answer(series.actors, {})

    async def _episode(self, request: web.Request) -> web.Response:
        found = self._catalogue.episode(int(request.match_info["id"]))
        if found is None:
            raise TvdbError(404, f"ID: {request.match_info['id']} not found")
        series, episode = found
        language = _language_of(request)
        document = documents.episode_document(series, episode, language)
        return _answer(document, _untranslated(episode["texts"], language))

    async def _episodes(self, request: web.Request) -> web.Response:
        series, language = self._asked(request)
        return _paged(request, series, series.in_order(), language, _unknown(dict(request.query), ("page",)))

    async def _episodes_query(self, request: web.Request) -> web.Response:
        series, language = self._asked(request)
        query = {key: value for key, value in request.query.items() if key in documents.EPISODE_QUERY}
        found = [e for e in series.in_order() if documents.episode_matches(e, query)]
        errors = _unknown(dict(request.query), (*documents.EPISODE_QUERY, "page"))
        return _paged(request, series, found, language, errors)

    async def _episodes_summary(self, request: web.Request) -> web.Response:
        series, _ = self._asked(request)
        return json_response(documents.episode_summary(series))

    async def _images(self, request: web.Request) -> web.Response:
        series, language = self._asked(request)
        return _answer(documents.image_counts(documents.images_in(series, language)), {})

    async def _images_query(self, request: web.Request) -> web.Response:
        series, language = self._asked(request)
        query = {key: value for key, value in request.query.items() if key in _IMAGE_KEYS}
        found = [
            documents.image_document(series, image, old=self._context.quirks.tvdb_old_pictures)
            for image in documents.images_in(series, language)
            if all(image[key] == value for key, value in query.items())
        ]
        if not found:
            raise _no_results(query)
        return _answer(found, _unknown(dict(request.query), _IMAGE_KEYS))

    async def _images_params(self, request: web.Request) -> web.Response:
        series, language = self._asked(request)
        records = documents.image_query_params(documents.images_in(series, language))
        if not records:
            raise _no_results({})
        return _answer(records, {})

    def _asked(self, request: web.Request) -> tuple[Series, str]:
        series = self._catalogue.find(int(request.match_info["id"]))
        if series is None:
            raise TvdbError(404, f"ID: {request.match_info['id']} not found")
        return series, _language_of(request)


def _language_of(request: web.Request) -> str:
    """The one language of Accept-Language: English when none is asked for."""
    return request.headers.get("Accept-Language", "").split(",")[0].split(";")[0].split("-")[0].strip() or "en"


def _version(request: web.Request) -> str:
    """The version that the client asks for by `Accept: application/vnd.thetvdb.v3.0.0`."""
    return request.headers.get("Accept", "").partition("application/vnd.thetvdb.v")[2].split(",")[0] or "3.0.0"


def _language_document(row: tuple[int, str, str, str]) -> JsonObject:
    return dict(zip(("id", "abbreviation", "name", "englishName"), row, strict=True))


def _unknown(query: dict[str, str], known: tuple[str, ...]) -> JsonObject:
    wrong = [key for key in query if key not in known]
    return {"invalidQueryParams": wrong} if wrong else {}


def _untranslated(texts: dict[str, JsonObject], language: str) -> JsonObject:
    return {} if documents.translated(texts, language) else {"invalidLanguage": documents.NOT_TRANSLATED}


def _answer(data: Any, errors: JsonObject) -> web.Response:
    """Errors of a query that was answered all the same stand beside the data, with status 200."""
    return json_response({"data": data, "errors": errors} if errors else {"data": data})


def _paged(request: web.Request, series: Series, episodes: list[JsonObject], language: str, errors: JsonObject) -> web.Response:
    page = whole_number(request.query.get("page", ""), 1)
    last = max(1, -(-len(episodes) // PAGE))
    shown = episodes[(page - 1) * PAGE : page * PAGE]
    if not shown:
        raise _no_results(dict(request.query))
    links = {
        "first": 1,
        "last": last,
        "next": page + 1 if page < last else None,
        "prev": page - 1 if page > 1 else None,
    }
    data = [documents.episode_document(series, episode, language) for episode in shown]
    return json_response({"links": links, "data": data, **({"errors": errors} if errors else {})})


def _matches_search(series: Series, query: dict[str, str]) -> bool:
    name = query.get("name", "").lower()
    exact = {key: query[key] for key in ("imdbId", "zap2itId", "slug") if query.get(key)}
    return name in series.name.lower() and all(series.details[key] == value for key, value in exact.items())


def _params(keys: tuple[str, ...] | list[str]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(_request: web.Request) -> web.Response:
        return json_response({"data": list(keys)})

    return handler

"""TheTVDB's HTTP API, version 2: one method a route, for all that a notifier can use (not the routes of a user).

`errors` in an answer with status 200 say that a word of the request was not understood. They are logged, once each: the
rest of the answer is good.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from producers.tvdb import parse
from producers.tvdb.login import Session, bearer
from producers.tvdb.models import (
    EpisodeFilter,
    EpisodesSummary,
    ImageKind,
    Language,
    Missing,
    Pictures,
    Record,
    Records,
    SeriesAnswer,
    SeriesHead,
    SeriesSearch,
    Updates,
)
from runtime.http import Answer, BadResponse, CredentialsRejected, NotItsOwn, Params, ProviderHttp, ProviderUnavailable
from runtime.http_dates import http_date
from schemas import redaction

log = logging.getLogger(__name__)

T = TypeVar("T")

_PART_ATTEMPTS = 3
_REPORTED_ERRORS = 1000
"""How many different `errors` are remembered as logged."""


def accept(version: str) -> str:
    """The Accept header's value, which asks for a version of the API."""
    return f"application/vnd.thetvdb.v{version}"


class TvdbClient:
    """Every method may raise ProviderUnavailable, BadResponse, and CredentialsRejected when a new login did not help either.

    `language` is an abbreviation of /languages. Where there is no translation, the translated fields are empty.
    """

    def __init__(self, http: ProviderHttp, session: Session) -> None:
        self._http = http
        self._session = session
        self._reported: set[str] = set()

    async def aclose(self) -> None:
        await self._session.aclose()
        await self._http.aclose()

    async def updated(self, since: datetime, until: datetime) -> Updates:
        """Series that changed in a window of a week at most; a longer one is cut by TheTVDB. No record: 404."""
        params = {"fromTime": int(since.timestamp()), "toTime": int(until.timestamp())}
        answer = await self._get("updated/query", params)
        if _is_missing(answer):
            return Updates((), (), answer.date)
        updates, broken = self._read(answer, parse.updates_of)
        return Updates(updates, broken, answer.date)

    async def probe(self) -> None:
        """`GET /languages`, which always names some. Raises ProviderUnavailable where it does not."""
        if not await self.languages():
            raise ProviderUnavailable("tvdb: GET /languages names no language")

    async def updated_params(self) -> tuple[str, ...]:
        """What /updated/query may be asked for."""
        return await self._words("updated/query/params")

    async def series(self, series_id: str, language: str) -> SeriesAnswer | Missing:
        answer = await self._get(f"series/{series_id}", language=language)
        if (missing := _missing(answer)) is not None:
            return missing
        series = self._read(answer, lambda document: parse.record_of(parse.data_of(document)))
        if series.id != series_id:
            raise ProviderUnavailable(f"{answer.request}: answered with series {series.id}")
        return SeriesAnswer(series, answer.date, answer.cached, answer.expires_in_s)

    async def series_head(self, series_id: str) -> SeriesHead | Missing:
        """When the series was last modified, at the price of a request without a body."""
        answer = await self._send("HEAD", f"series/{series_id}")
        if answer.status in (403, 404, 410):  # without a body no words show whose answer it is
            return Missing(answer.status == 403, answer.date, answer.cached)
        _good(answer)
        return SeriesHead(http_date(answer.headers.get("last-modified")), answer.date)

    async def series_filter(self, series_id: str, keys: Sequence[str], language: str) -> Mapping[str, Any]:
        """Some of a series' attributes by their names. Empty for a series that isn't there."""
        answer = await self._get(f"series/{series_id}/filter", {"keys": ",".join(keys)}, language)
        return self._read_unless_missing(answer, parse.attributes_of, {})

    async def series_filter_params(self, series_id: str) -> tuple[str, ...]:
        """The keys that `series_filter` knows."""
        return await self._words(f"series/{series_id}/filter/params")

    async def actors(self, series_id: str) -> Records:
        return await self._records(f"series/{series_id}/actors")

    async def episodes(self, series_id: str, page: int, language: str) -> Records:
        """A page of 100 of a series' episodes, from page 1. None: 404."""
        return await self._records(f"series/{series_id}/episodes", {"page": page}, language)

    async def episodes_query(self, series_id: str, wanted: EpisodeFilter, language: str) -> Records:
        return await self._records(f"series/{series_id}/episodes/query", wanted.as_query(), language)

    async def episodes_query_params(self, series_id: str) -> tuple[str, ...]:
        return await self._words(f"series/{series_id}/episodes/query/params")

    async def episodes_summary(self, series_id: str) -> EpisodesSummary | None:
        answer = await self._get(f"series/{series_id}/episodes/summary")
        return self._read_unless_missing(answer, parse.summary_of, None)

    async def episode(self, episode_id: str, language: str) -> Record | Missing:
        """One episode in full: with its guests, writers and thumbnail's size."""
        answer = await self._get(f"episodes/{episode_id}", language=language)
        if (missing := _missing(answer)) is not None:
            return missing
        return self._read(answer, lambda document: parse.record_of(parse.data_of(document)))

    async def image_counts(self, series_id: str) -> Mapping[str, int]:
        """How many images of each kind there are."""
        answer = await self._get(f"series/{series_id}/images")
        return self._read_unless_missing(answer, parse.image_counts_of, {})

    async def image_kinds(self, series_id: str, language: str) -> tuple[ImageKind, ...]:
        """The kinds of which there are images, in that language (/images/query/params). None: 404."""
        answer = await self._get(f"series/{series_id}/images/query/params", language=language)
        return self._read_unless_missing(answer, parse.image_kinds_of, ())

    async def images(
        self, series_id: str, key_type: str, language: str, *, resolution: str | None = None, sub_key: str | None = None
    ) -> Pictures:
        """The images of a kind (/images/query). None: 404."""
        params = {"keyType": key_type}
        if resolution is not None:
            params["resolution"] = resolution
        if sub_key is not None:
            params["subKey"] = sub_key
        answer = await self._get(f"series/{series_id}/images/query", params, language)
        return self._read_unless_missing(answer, parse.pictures_of, Pictures(()))

    async def languages(self) -> tuple[Language, ...]:
        return self._read(await self._get("languages"), parse.languages_of)

    async def language(self, language_id: int) -> Language | None:
        return self._read_unless_missing(await self._get(f"languages/{language_id}"), parse.language_of, None)

    async def search_series(self, wanted: SeriesSearch, language: str) -> Records:
        return await self._records("search/series", wanted.as_query(), language)

    async def search_series_params(self) -> tuple[str, ...]:
        return await self._words("search/series/params")

    async def _words(self, path: str) -> tuple[str, ...]:
        return self._read_unless_missing(await self._get(path), parse.words_of, ())

    async def _records(self, path: str, params: Params | None = None, language: str | None = None) -> Records:
        return self._read_unless_missing(await self._get(path, params, language), parse.records_of, Records(()))

    async def _get(self, path: str, params: Params | None = None, language: str | None = None) -> Answer:
        return await self._send("GET", path, params, language)

    async def _send(self, method: str, path: str, params: Params | None = None, language: str | None = None) -> Answer:
        """The request with the token that all share; with a new one, once, when that was refused."""
        token = await self._session.token()
        try:
            return await self._once(method, path, params, language, token)
        except CredentialsRejected:
            token = await self._session.replaced(token)
            return await self._once(method, path, params, language, token)

    async def _once(self, method: str, path: str, params: Params | None, language: str | None, token: str) -> Answer:
        headers = bearer(token) | ({"Accept-Language": language} if language else {})
        if method == "GET":
            # a series is read by a hundred requests: the failure of one must not throw away the others
            is_part = path.startswith("series/") and path.count("/") > 1
            return await self._http.get(path, params, headers, at_least=_PART_ATTEMPTS if is_part else 1)
        return await self._http.send(method, path, params=params, headers=headers)

    def _read(self, answer: Answer, read: Callable[[Any], T]) -> T:
        document = _good(answer).json()
        self._report(answer, document)
        try:
            return read(document)
        except (ValueError, TypeError) as error:
            raise BadResponse(f"{answer.request}: {error}: {answer.excerpt()}", answer.body) from error

    def _read_unless_missing(self, answer: Answer, read: Callable[[Any], T], missing: T) -> T:
        return missing if _is_missing(answer) else self._read(answer, read)

    def _report(self, answer: Answer, document: Any) -> None:
        errors = parse.errors_of(document)
        if errors and (text := str(errors)) not in self._reported and len(self._reported) < _REPORTED_ERRORS:
            self._reported.add(text)
            log.warning(
                "%s: TheTVDB did not understand a part of the request (%s); the rest of its answer is used", answer.request, text
            )


def _missing(answer: Answer) -> Missing | None:
    if answer.status == 403 or _is_missing(answer):
        _own_error(answer)
        return Missing(answer.status == 403, answer.date, answer.cached)
    return None


def _is_missing(answer: Answer) -> bool:
    """404 or 410 in TheTVDB's own words. Raises NotItsOwn where a gateway answered in its place."""
    if answer.status not in (404, 410):
        return False
    _own_error(answer)
    return True


def _own_error(answer: Answer) -> None:
    """TheTVDB's errors are `{"Error": text}`; the text differs from route to route. Raises NotItsOwn."""
    document = answer.json_or_none()
    if not (isinstance(document, dict) and isinstance(document.get("Error"), str)):
        raise NotItsOwn(answer)


def _good(answer: Answer) -> Answer:
    if answer.status in (403, 404, 410):
        _own_error(answer)
    if answer.status != 200:
        raise BadResponse(f"{answer.request}: status {answer.status}: {_said(answer)}", answer.body)
    return answer


def _said(answer: Answer) -> str:
    """What the answer gives as the error; its texts differ from route to route."""
    document = answer.json_or_none()
    return redaction.excerpt(str(document.get("Error", document)), 200) if isinstance(document, dict) else answer.excerpt()

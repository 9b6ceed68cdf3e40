"""TMDB's HTTP API: one method a route, parsed answers. Documented at developer.themoviedb.org/reference."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from producers.tmdb import parse
from producers.tmdb.models import DateWindow, Details, Items, Kind, Listed, Picture
from producers.tmdb.pictures import ImageHost, parse_configuration
from runtime.http import Answer, BadResponse, CredentialsRejected, NotItsOwn, ProviderHttp, ProviderUnavailable

LAST_PAGE = 500
"""TMDB answers no page beyond this one: status 400, code 22."""

FULL_PAGE = 100
"""An entity's changes say nothing of further pages. Fewer items than the lists' page size are taken to be all of them."""

_INVALID_KEY, _INVALID_PAGE, _OVER_LIMIT, _NOT_FOUND = 7, 22, 25, 34


class Refusal(BadResponse):
    """TMDB's own error, `{status_code, status_message, success: false}`. `code` is None where the body names none; `at` is TMDB's clock;
    `cached`: a cache on the way had kept it."""

    def __init__(self, message: str, answer: Answer, code: int | None = None) -> None:
        super().__init__(message, answer.body)
        self.at = answer.date
        self.cached = answer.cached
        self.code = code


class NotFound(Refusal):
    """404, code 34: there is no such entity, or none any more."""


class Forbidden(Refusal):
    """403: this token may not read it."""


@dataclass(frozen=True)
class Read:
    """An entity's details and of when they are, on TMDB's clock; `cached`: a cache on the way had kept them."""

    details: Details
    at: datetime
    cached: bool


class TmdbClient:
    """The routes that are used. All raise ProviderUnavailable, CredentialsRejected and BadResponse; Refusal is one of those."""

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http

    async def aclose(self) -> None:
        await self._http.aclose()

    async def changed(self, kind: Kind, window: DateWindow, page: int) -> Listed:
        """`GET /{kind}/changes`: a page of the ids that changed on these days. A page behind the last one is empty."""
        try:
            document, answer = await self._get(f"{kind}/changes", {**_dates(window), "page": page})
        except Refusal as refusal:
            if refusal.code == _INVALID_PAGE and page > 1:
                return Listed((), 0)
            raise
        listed = parse.parse_list(document)
        if not (listed.ids or listed.broken) and page <= listed.total_pages:
            raise ProviderUnavailable(f"{answer.request}: page {page} of {listed.total_pages} is empty")
        return listed

    def now(self) -> datetime:
        """TMDB's clock, as far as it is known."""
        return self._http.now()

    async def changes(self, route: str, entity_id: int, window: DateWindow, *, to_the_end: bool = False) -> Items:
        """`GET /{route}/{id}/changes`, route one of movie, tv, person, tv/season, tv/episode: the edits of these days.

        A page with fewer than `FULL_PAGE` items is taken to be the last, but with `to_the_end`: then the next one is asked for until one is
        empty. Raises NotFound where the entity is not there (any more).
        """
        found: dict[str, Any] = {}
        broken: dict[bytes, Any] = {}
        as_of: datetime | None = None
        for page in range(1, LAST_PAGE + 1):
            try:
                document, answer = await self._get(f"{route}/{entity_id}/changes", {**_dates(window), "page": page})
            except Refusal as refusal:
                if page > 1 and (refusal.code == _INVALID_PAGE or isinstance(refusal, NotFound)):
                    break
                raise
            as_of = answer.date if as_of is None else min(as_of, answer.date)
            items = parse.parse_changes(document)
            known = len(found)
            found.update((item.id, item) for item in items.items if item.id not in found)
            broken.update((item.body, item) for item in items.broken)
            if len(found) == known or (len(items.items) < FULL_PAGE and not to_the_end):
                break
        return Items(tuple(found.values()), tuple(broken.values()), as_of)

    async def is_there(self, route: str, entity_id: int, window: DateWindow) -> bool:
        """Whether `GET /{route}/{id}/changes` answers now, and not from a cache. Raises NotFound where the entity is gone."""
        document, answer = await self._get(f"{route}/{entity_id}/changes", {**_dates(window), "page": 1})
        parse.parse_changes(document)
        return not answer.cached

    async def is_gone(self, path: str) -> bool:
        """Whether `GET /{path}` says that there is no such entity. A cached answer says nothing of now."""
        try:
            await self._get(path, {})
        except NotFound as refusal:
            return not refusal.cached
        return False

    async def details(self, path: str) -> Read:
        """`GET /{path}` with the external ids. Raises NotFound, Forbidden."""
        document, answer = await self._get(path, {"append_to_response": "external_ids"})
        return Read(parse.parse_details(document), answer.date, answer.cached)

    async def images(self, path: str) -> tuple[Picture, ...]:
        """`GET /{path}/images`, of all languages: none is named, so TMDB filters none. Raises NotFound, Forbidden."""
        document, _ = await self._get(f"{path}/images", {})
        return parse.parse_images(document)

    async def configuration(self) -> ImageHost:
        """`GET /configuration`: where pictures are and in which sizes."""
        document, _ = await self._get("configuration", {})
        return parse_configuration(document)

    async def _get(self, path: str, params: dict[str, str | int]) -> tuple[Any, Answer]:
        answer = await self._http.get(path, params)
        if answer.status != 200:
            raise _refusal(answer)
        document = answer.json()
        if isinstance(document, dict) and document.get("success") is False:
            raise _refusal(answer)
        return document, answer


def _dates(window: DateWindow) -> dict[str, str | int]:
    return {"start_date": window.start.isoformat(), "end_date": window.end.isoformat()}


def _refusal(answer: Answer) -> Exception:
    """The consequence of an answer that is an error, by TMDB's code. What has none is not TMDB's: a gateway answered in its place."""
    document = answer.json_or_none()
    code = parse.whole(document.get("status_code")) if isinstance(document, dict) else None
    said = document.get("status_message") if isinstance(document, dict) else answer.excerpt()
    message = f"{answer.request}: status {answer.status}, code {code}: {said}"
    if code == _INVALID_KEY:
        return CredentialsRejected(message)
    if code == _OVER_LIMIT:
        return ProviderUnavailable(message)
    if code == _NOT_FOUND:
        return NotFound(message, answer, code)
    if answer.status in (404, 410) or (answer.status == 403 and code is None):
        return NotItsOwn(answer)
    if answer.status == 403:
        return Forbidden(message, answer, code)
    return Refusal(message, answer, code)

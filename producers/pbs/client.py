"""Media Manager's HTTP API: the changelog's pages and the entities' documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from producers.interface import BrokenItem
from producers.pbs.entries import Entry, parse_entry, shared_type
from runtime.http import Answer, BadResponse, CredentialsRejected, NotItsOwn, ProviderHttp, ProviderUnavailable

PAGE_SIZE = 50
"""The most that Media Manager gives (25 unless asked)."""

ROUTES: Mapping[str, str] = {
    "asset": "assets",
    "collection": "collections",
    "episode": "episodes",
    "franchise": "franchises",
    "season": "seasons",
    "series": "shows",
    "special": "specials",
    "station": "stations",
}
"""The route of each entity type's documents, by the shared word."""

_API_ROOT = "/api/v1/"


@dataclass(frozen=True)
class ChangelogPage:
    """A page as it was read. `next` is the query of links.next, None at the end. `date`: the provider's clock."""

    entries: tuple[Entry, ...]
    broken: tuple[BrokenItem, ...]
    next: str | None
    date: datetime


@dataclass(frozen=True)
class Document:
    """An entity's document: its id, PBS's word for its type, its attributes and its self link."""

    id: str
    native_type: str
    attributes: Mapping[str, Any]
    url: str | None
    date: datetime
    cached: bool = False
    expires_in_s: float | None = None


@dataclass(frozen=True)
class Denied:
    """403 (`forbidden`), 404 or 410 for an entity, in Media Manager's own words. `cached`: a cache on the way had kept it."""

    forbidden: bool
    date: datetime
    cached: bool = False


class PbsClient:
    """One method a route. All raise ProviderUnavailable, CredentialsRejected and BadResponse as ProviderHttp does.

    `platforms`: those whose entities are asked for. Media Manager answers 403 for an entity that is not on all platforms unless one of
    its own is named (README of tamw-wnet/PBS_Media_Manager_Client).
    """

    def __init__(self, http: ProviderHttp, platforms: Sequence[str] = ()) -> None:
        self._http = http
        self._platforms = {"platform-slug": tuple(platforms)} if platforms else {}

    async def aclose(self) -> None:
        await self._http.aclose()

    async def changelog(self, query: str) -> ChangelogPage:
        """The page of a query: `first_query`'s, or one that a page names as its `next`. A page that is gone since it was named
        (404 `Invalid page.`) is the end of the list. Raises BadResponse for a page that can't be read."""
        answer = await self._http.get(f"changelog/?{query}")
        if answer.status == 404 and page_number(query) > 1 and _is_its_own(answer):
            return ChangelogPage((), (), None, answer.date)
        return _changelog_page(answer)

    async def changelog_oldest(self) -> datetime | None:
        """When the oldest entry that the changelog still holds was made; None when it is empty."""
        answer = await self._http.get("changelog/", {"sort": "timestamp"})
        return min((entry.time for entry in _changelog_page(answer).entries), default=None)

    async def entity(self, path: str, cid: str) -> Document | Denied:
        """The document at a path such as `assets/<cid>/`."""
        answer = await self._http.get(path, self._platforms)
        if answer.status in _REFUSALS and _is_its_own(answer):
            return Denied(answer.status == 403, answer.date, answer.cached)
        document = _document(_checked(answer))
        if document.id.lower() != cid.lower():
            raise ProviderUnavailable(f"{answer.request}: answered with the document of {document.id}")
        return document

    async def probe(self) -> None:
        """The newest entry of the changelog: that route always answers."""
        _changelog_page(await self._http.get("changelog/", {"page-size": "1"}))


def first_query(since: datetime, types: Sequence[str] = (), ids: Sequence[str] = ()) -> str:
    """The query for what changed after `since`, oldest first: paging newest-first would shift as the feed grows.
    `types` in PBS's own words, `ids` of entities; none: all."""
    named = [
        ("since", since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")),
        ("sort", "timestamp"),
        ("page-size", str(PAGE_SIZE)),
    ]
    return urlencode([*named, *(("type", word) for word in types), *(("id", cid) for cid in ids)])


def page_number(query: str) -> int:
    """Which page a query asks for, from 1."""
    number = dict(parse_qsl(query)).get("page", "1")
    return int(number) if number.isdigit() else 1


def page_after(query: str) -> str:
    """The query for the page behind, for where a page itself can't tell."""
    others = [(key, value) for key, value in parse_qsl(query) if key != "page"]
    return urlencode([("page", str(page_number(query) + 1)), *others])


def entity_path(entity_type: str, cid: str, url: str | None = None) -> str | None:
    """Where an entity's document is: by its type, else what links.self says; None when it has no document.

    Only the path of a link is used: the credentials go to `base_url` and nowhere else.
    """
    if (route := ROUTES.get(shared_type(entity_type))) is not None:
        return f"{route}/{quote(cid, safe='')}/"
    _, root, path = urlsplit(url or "").path.partition(_API_ROOT)
    return path if root and path else None


_REFUSALS = frozenset({403, 404, 410})


def _is_its_own(answer: Answer) -> bool:
    """Whether an error is Media Manager's: `{"detail": "Not found."}`. A gateway's page or JSON has none."""
    document = answer.json_or_none()
    return isinstance(document, dict) and isinstance(document.get("detail"), str)


def _checked(answer: Answer) -> Answer:
    if answer.status in _REFUSALS and not _is_its_own(answer):
        raise NotItsOwn(answer)
    if answer.status == 403:
        raise CredentialsRejected(f"{answer.request}: status 403: the key may not read this: {answer.excerpt()}")
    if answer.status != 200:
        raise BadResponse(f"{answer.request}: status {answer.status}: {answer.excerpt()}", answer.body)
    return answer


def _changelog_page(answer: Answer) -> ChangelogPage:
    document = _checked(answer).json()
    items = document.get("data") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise BadResponse(f"{answer.request}: no list in `data`: {answer.excerpt()}", answer.body)
    if not items and _entries_counted(document):
        raise ProviderUnavailable(f"{answer.request}: an empty page, though it counts {_entries_counted(document)} entries")
    parsed = [parse_entry(item) for item in items]
    return ChangelogPage(
        entries=tuple(entry for entry in parsed if isinstance(entry, Entry)),
        broken=tuple(item for item in parsed if isinstance(item, BrokenItem)),
        next=_next_query(document.get("links")),
        date=answer.date,
    )


def _entries_counted(document: Any) -> int:
    """`meta.pagination.count`: how many entries the whole list has."""
    meta = document.get("meta")
    pagination = meta.get("pagination") if isinstance(meta, dict) else None
    count = pagination.get("count") if isinstance(pagination, dict) else None
    return count if isinstance(count, int) else 0


def _next_query(links: Any) -> str | None:
    """Only the query: the link may name another host or scheme than the one that was asked."""
    link = links.get("next") if isinstance(links, dict) else None
    return urlsplit(link).query or None if isinstance(link, str) else None


def _document(answer: Answer) -> Document:
    document = answer.json()
    data = document.get("data") if isinstance(document, dict) else None
    attributes = data.get("attributes") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(attributes, dict) or not data.get("id"):
        raise BadResponse(f"{answer.request}: no entity in `data`: {answer.excerpt()}", answer.body)
    links = document.get("links")
    url = links.get("self") if isinstance(links, dict) else None
    return Document(
        id=str(data["id"]),
        native_type=str(data.get("type", "")),
        attributes=attributes,
        url=urlsplit(url)._replace(query="").geturl() if isinstance(url, str) else None,
        date=answer.date,
        cached=answer.cached,
        expires_in_s=answer.expires_in_s,
    )

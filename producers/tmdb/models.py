"""What TMDB's answers say, as values. TMDB's words end here; the shared ones (series, season, episode) begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from producers.interface import BrokenItem
from schemas.event import Action

PROVIDER = "tmdb"

Kind = Literal["movie", "tv", "person"]
"""A list of changes, and the first word of its entities' routes."""

KINDS: tuple[Kind, ...] = ("movie", "tv", "person")

SHARED_TYPE: dict[Kind, str] = {"movie": "movie", "tv": "series", "person": "person"}
"""The entity type, as all providers call it."""

SEASON, EPISODE = "season", "episode"
NATIVE_TYPE = {"movie": "movie", "series": "tv", "season": "tv_season", "episode": "tv_episode", "person": "person"}


@dataclass(frozen=True)
class DateWindow:
    """`start_date` and `end_date` of a request. Whether TMDB counts the end day in is not documented: windows touch on a day."""

    start: date
    end: date


@dataclass(frozen=True)
class Listed:
    """A page of a list of changed entities. `ids` as they came, repeats included. `missing`: those of which TMDB says neither adult nor
    not, by which it marks what no longer exists (inferred from recordings of 2026: none came back from null)."""

    ids: tuple[int, ...]
    total_pages: int
    missing: frozenset[int] = frozenset()
    broken: tuple[BrokenItem, ...] = ()


@dataclass(frozen=True)
class Item:
    """One edit. `id` is TMDB's, 24 hex digits; `native_action` TMDB's word for `action`; `before` and `after` are JSON values, None
    where TMDB gives none."""

    id: str
    key: str
    action: Action
    native_action: str
    time: datetime
    language: str | None = None
    country: str | None = None
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Items:
    """The edits of one entity in a window, in TMDB's order. `as_of`: the time of this state, on TMDB's clock."""

    items: tuple[Item, ...] = ()
    broken: tuple[BrokenItem, ...] = ()
    as_of: datetime | None = None


@dataclass(frozen=True)
class Pointer:
    """What an item of key `season` or `episode` points at. The number is missing in some deletions."""

    id: int
    number: int | None


@dataclass(frozen=True)
class Picture:
    """An image of an images route. `kind`: still, poster, backdrop, logo, profile. Sizes in pixels."""

    kind: str
    path: str
    width: int | None
    height: int | None
    aspect_ratio: float | None
    language: str | None
    vote_average: float | None
    vote_count: int | None


@dataclass(frozen=True)
class Details:
    """An entity's details. `children`: a series' seasons or a season's episodes, number by id. `fields`: the plain values."""

    id: int
    name: str | None
    number: int | None
    primary_image: str | None
    external_ids: dict[str, str]
    children: dict[int, int]
    fields: dict[str, Any]

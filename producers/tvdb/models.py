"""What TheTVDB's answers are read into. A record keeps its attributes by TheTVDB's names; what is used by name has a property."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from producers.interface import BrokenItem


@dataclass(frozen=True)
class Errors:
    """What an answer with status 200 complains of: words of the request that were not understood, and were left out."""

    invalid_filters: tuple[str, ...] = ()
    invalid_language: str | None = None
    invalid_query_params: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.invalid_filters or self.invalid_language or self.invalid_query_params)

    def __str__(self) -> str:
        named = {
            "invalid filters": ", ".join(self.invalid_filters),
            "invalid language": self.invalid_language or "",
            "invalid query parameters": ", ".join(self.invalid_query_params),
        }
        return "; ".join(f"{name}: {value}" for name, value in named.items() if value)


@dataclass(frozen=True)
class Record:
    """A series, an episode or an actor: its id, and its attributes as served."""

    id: str
    attributes: Mapping[str, Any]

    def text(self, key: str) -> str | None:
        """A text that says something: TheTVDB writes both null and "" for one that is not there."""
        value = self.attributes.get(key)
        return value if isinstance(value, str) and value.strip() else None


@dataclass(frozen=True)
class Records:
    """A list of records, those of it that could be read. `next`: the number of the next page, where there is one."""

    records: tuple[Record, ...]
    broken: tuple[BrokenItem, ...] = ()
    next: int | None = None


@dataclass(frozen=True)
class SeriesAnswer:
    """A series, and of when its state is on the provider's clock; `cached` and `expires_in_s` as in `runtime.http.Answer`."""

    series: Record
    date: datetime
    cached: bool = False
    expires_in_s: float | None = None


@dataclass(frozen=True)
class Update:
    """A series that changed, and when it last did so, in Unix seconds. The only thing that the feed says."""

    series_id: str
    last_updated: int

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.last_updated, UTC)


@dataclass(frozen=True)
class Updates:
    """The answer for one window. `date`: the provider's clock."""

    updates: tuple[Update, ...]
    broken: tuple[BrokenItem, ...]
    date: datetime


@dataclass(frozen=True)
class Picture:
    """One image of a series. `file_name` and `thumbnail` are paths on the artwork server, `resolution` is `1920x1080` or empty.
    `sub_key` is the season's number for the kinds `season` and `seasonwide`. `language_id`: an id of /languages, 0 for none; the
    reference has only that, while the API gives the abbreviation beside it."""

    id: str
    key_type: str
    sub_key: str
    file_name: str
    thumbnail: str | None
    resolution: str
    language: str | None
    language_id: int
    average: float | None
    count: int | None


@dataclass(frozen=True)
class Pictures:
    pictures: tuple[Picture, ...]
    broken: tuple[BrokenItem, ...] = ()


@dataclass(frozen=True)
class ImageKind:
    """A kind of image that a series has some of, with the resolutions and sub keys that may be asked for."""

    key_type: str
    resolutions: tuple[str, ...] = ()
    sub_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Language:
    id: int
    abbreviation: str
    name: str
    english_name: str


@dataclass(frozen=True)
class EpisodesSummary:
    """How many episodes there are, and in which seasons. Season 0 holds the specials."""

    aired_episodes: int
    aired_seasons: tuple[str, ...]
    dvd_episodes: int
    dvd_seasons: tuple[str, ...]


@dataclass(frozen=True)
class SeriesHead:
    """What HEAD tells of a series."""

    last_modified: datetime | None
    date: datetime


@dataclass(frozen=True)
class Missing:
    """404 or 410, or 403 (`forbidden`), for the series or episode that was asked for, in TheTVDB's own words. `cached`: a cache on the
    way had kept it."""

    forbidden: bool
    date: datetime
    cached: bool = False


@dataclass(frozen=True)
class EpisodeFilter:
    """What /series/{id}/episodes/query may be asked for. Empty ones are not sent."""

    absolute_number: int | None = None
    aired_season: int | None = None
    aired_episode: int | None = None
    dvd_season: int | None = None
    dvd_episode: float | None = None
    imdb_id: str | None = None
    page: int | None = None

    def as_query(self) -> dict[str, str]:
        named = {
            "absoluteNumber": self.absolute_number,
            "airedSeason": self.aired_season,
            "airedEpisode": self.aired_episode,
            "dvdSeason": self.dvd_season,
            "dvdEpisode": self.dvd_episode,
            "imdbId": self.imdb_id,
            "page": self.page,
        }
        return {name: str(value) for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class SeriesSearch:
    """What /search/series may be asked for, one of them at a time."""

    name: str | None = None
    imdb_id: str | None = None
    zap2it_id: str | None = None
    slug: str | None = None

    def as_query(self) -> dict[str, str]:
        named = {"name": self.name, "imdbId": self.imdb_id, "zap2itId": self.zap2it_id, "slug": self.slug}
        return {name: value for name, value in named.items() if value}

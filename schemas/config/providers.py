"""The providers' sections: where each is reached, how often it is read, and how far back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, ClassVar, get_args

from pydantic import Field
from pydantic.fields import FieldInfo

from schemas.config.addresses import BaseUrl
from schemas.config.durations import Duration, Period, Since
from schemas.config.fields import (
    AccountName,
    Count,
    Credential,
    FieldNames,
    Many,
    Number,
    Section,
    TypeNames,
    Watch,
)

VOTES = ("vote_average", "vote_count")
"""Of a picture: they move with every visitor, and are no cause to wake a subscriber."""

Words = Mapping[str, str]
_NONE: Words = MappingProxyType({})
_FOR_IMAGES: Words = dict.fromkeys(("image", "picture", "pictures", "photo", "photos"), "images")


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def _hours(number: float) -> timedelta:
    return timedelta(hours=number)


class Provider(Section):
    """What all providers share. `rate`: requests/s, of which enrichment has `enrichment_share`. `overlap`: how far a poll reaches
    back behind the last one. `settle`: an entity is fetched no earlier than this after its newest event, since replicas lag.
    `batch_budget`: how long a batch waits for fetches before it leaves them behind. `retry_budget`: how long an entity that fails is
    asked for while the provider answers for others. `forbidden_recheck`: for this long an entity that could be read must be refused (403,
    404, 410) to count as deleted. `look_again`: when an entity that shows no change is asked again, counted from its event's time;
    `look_again_share`: the part of enrichment's requests that this may take. `stale_patience`: how long answers of caches that are older
    than an event are not taken.
    `volatile`: fields that move without a change that anybody could see; they are not compared. A list takes the default's place."""

    credentials: ClassVar[tuple[str, ...]] = ()
    """The keys that hold credentials."""
    entity_types: ClassVar[tuple[str, ...]] = ()
    """All types that its events can be of; empty where they are not known beforehand. This and what follows is there so that a filter
    that can match nothing is told of: a new provider may do without."""
    other_types: ClassVar[Words] = _NONE
    """Words that look like types of this provider and are none, and the right type."""
    member_keys: ClassVar[Words] = _NONE
    """Types that are no entities here: a change of one is a change with this key."""
    other_keys: ClassVar[Words] = _NONE
    """Words that look like keys of its changes and are none, and the right key."""
    depths: ClassVar[Mapping[str, int]] = MappingProxyType({})
    """Types that are below one another, the outermost at 0."""
    numbered: ClassVar[bool] = False
    """Whether its ids are whole numbers."""
    has_languages: ClassVar[bool] = True
    """Whether any of its changes has a language."""

    base_url: BaseUrl
    interval: Period = _seconds(60)
    overlap: Duration = _hours(1)
    dedupe_window: Period = _hours(48)
    rate: Number = Field(default=40, gt=0)
    enrichment_share: Number = Field(default=0.7, gt=0, lt=1)
    since: Since = _hours(24)
    settle: Duration = _seconds(5)
    batch_budget: Duration = _seconds(2)
    retry_budget: Duration = _seconds(60)
    forbidden_recheck: Duration = _seconds(900)
    look_again: Annotated[list[Duration], Many] = Field(default=[_seconds(60 * minutes) for minutes in (1, 3, 10, 30, 60)])
    look_again_share: Number = Field(default=0.1, gt=0, le=1)
    stale_patience: Duration = _hours(1)
    volatile: FieldNames = Field(default=[*VOTES])
    timeout: Period = _seconds(15)
    max_body_bytes: Count = Field(default=32 * 1024 * 1024, gt=0)

    @property
    def configured(self) -> bool:
        """Whether the credentials are there. A provider without them is not polled, and is named at the start."""
        return all(getattr(self, name) is not None for name in self.credentials)

    def why_unwatched(self, entity_type: str, entity_id: str | None = None, *, below: bool = False) -> str | None:
        """The setting by which none of these entities is asked for, or not this one, or with `below` nothing below it either; None
        where one may be."""
        del entity_type, entity_id, below
        return None


class TmdbWatch(Section):
    """For each kind: all that the lists name, none, or these ids, which are asked directly."""

    movie: Watch = "all"
    tv: Watch = "all"
    person: Watch = "none"


class Tmdb(Provider):
    credentials: ClassVar = ("token",)
    entity_types: ClassVar = ("movie", "series", "season", "episode", "person")
    other_types: ClassVar = {"tv": "series", "show": "series", "tv_season": "season", "tv_episode": "episode"}
    other_keys: ClassVar = {**_FOR_IMAGES, "seasons": "season", "episodes": "episode"}
    depths: ClassVar = {"series": 0, "season": 1, "episode": 2}
    numbered: ClassVar = True

    token: Credential = None
    base_url: BaseUrl = "https://api.themoviedb.org/3"
    interval: Period = _seconds(60)
    overlap: Duration = _hours(24)
    dedupe_window: Period = _hours(30 * 24)
    parents_kept: Period = _hours(1)
    watch: TmdbWatch = TmdbWatch()
    volatile: FieldNames = Field(default=["popularity", "rating", *VOTES])

    def why_unwatched(self, entity_type: str, entity_id: str | None = None, *, below: bool = False) -> str | None:
        del below  # a series leads to all that is below it
        kind = "tv" if entity_type in self.depths else entity_type
        watched = getattr(self.watch, kind, "all")
        if watched in ("none", []):
            return f"`providers.tmdb.watch.{kind}` is none"
        if entity_type in ("movie", "series", "person") and entity_id is not None and watched != "all":
            return None if entity_id in map(str, watched) else f"`providers.tmdb.watch.{kind}` does not name it"
        return None


PBS_PLATFORMS = ("allplatforms", "partnerplayer", "bento", "pbsorg", "videoportal")


class Pbs(Provider):
    """`platforms`: an entity that is not on all platforms looks forbidden unless one of its own is named with the request."""

    credentials: ClassVar = ("key", "secret")
    other_types: ClassVar = {"show": "series"}
    other_keys: ClassVar = {**_FOR_IMAGES, "link": "links", "availability": "availabilities"}
    depths: ClassVar = {"franchise": 0, "series": 1, "season": 2, "episode": 3, "special": 3, "asset": 4}
    has_languages: ClassVar = False

    key: Credential = None
    secret: Credential = None
    base_url: BaseUrl = "https://media.services.pbs.org/api/v1"
    interval: Period = _seconds(30)
    overlap: Duration = _seconds(300)
    reread: Duration = _hours(24)
    reread_every: Period = _hours(1)
    dedupe_window: Period = _hours(48)
    parents_kept: Period = _hours(1)
    types: TypeNames = "all"
    platforms: Annotated[list[str], Many] = Field(default=[*PBS_PLATFORMS])
    volatile: FieldNames = Field(default=["updated_at"])
    rate: Number = Field(default=10, gt=0)

    def why_unwatched(self, entity_type: str, entity_id: str | None = None, *, below: bool = False) -> str | None:
        del entity_id
        if (
            below
            or self.types == "all"
            or entity_type in {self.other_types.get(word.lower(), word.lower()) for word in self.types}
        ):
            return None
        return "`providers.pbs.types` does not name it"


class Tvdb(Provider):
    credentials: ClassVar = ("apikey", "username", "userkey")
    entity_types: ClassVar = ("series",)
    other_types: ClassVar = {"show": "series"}
    member_keys: ClassVar = {"episode": "episodes", "actor": "actors", "person": "actors"}
    other_keys: ClassVar = {**_FOR_IMAGES, "episode": "episodes", "actor": "actors", "name": "seriesName", "title": "seriesName"}
    numbered: ClassVar = True

    apikey: Credential = None
    username: AccountName = None
    userkey: Credential = None
    base_url: BaseUrl = "https://api.thetvdb.com"
    version: str = "3.0.0"
    overlap: Duration = _hours(1)
    reread: Duration = _hours(24)
    reread_every: Period = _hours(1)
    dedupe_window: Period = _hours(8 * 24)
    languages: Annotated[list[str], Many] = Field(default=["en"])
    volatile: FieldNames = Field(default=["siteRating", "siteRatingCount", "lastUpdated", "lastUpdatedBy", "addedBy", *VOTES])
    rate: Number = Field(default=10, gt=0)

    @property
    def configured(self) -> bool:
        """TheTVDB needs no user."""
        return self.apikey is not None


class Providers(Section):
    """A line a provider: its name in the file, in URNs and in topics, and its settings. All else is derived from these lines."""

    tmdb: Tmdb | None = None
    pbs: Pbs | None = None
    tvdb: Tvdb | None = None

    def named(self) -> dict[str, Provider]:
        """The providers that the config names, with or without credentials."""
        every = {name: getattr(self, name) for name in PROVIDER_NAMES}
        return {name: provider for name, provider in every.items() if provider is not None}

    def configured(self) -> dict[str, Provider]:
        return {name: provider for name, provider in self.named().items() if provider.configured}


def _settings_of(field: FieldInfo) -> type[Provider]:
    (kind,) = (kind for kind in get_args(field.annotation) if isinstance(kind, type) and issubclass(kind, Provider))
    return kind


SETTINGS: dict[str, type[Provider]] = {name: _settings_of(field) for name, field in Providers.model_fields.items()}
PROVIDER_NAMES = tuple(SETTINGS)
CREDENTIALS = {name: kind.credentials for name, kind in SETTINGS.items()}
"""The keys whose variable may be unset: that provider then counts as not configured."""


def every_provider() -> Providers:
    """All of them with their defaults: what a file that names none gets."""
    return Providers.model_validate({name: {} for name in PROVIDER_NAMES})

"""The providers' sections: where each is reached, how often it is read, and how far back."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, get_args

from pydantic import Field
from pydantic.fields import FieldInfo

from schemas.config.durations import Duration, Period, Since
from schemas.config.fields import (
    AccountName,
    BaseUrl,
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


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def _hours(number: float) -> timedelta:
    return timedelta(hours=number)


class Provider(Section):
    """What all providers share. `rate`: requests/s, of which enrichment has `enrichment_share`. `overlap`: how far a poll reaches
    back behind the last one. `settle`: an entity is fetched no earlier than this after its newest event, since replicas lag.
    `batch_budget`: how long a batch waits for fetches before it leaves them behind. `retry_budget`: how long an entity that fails is
    asked for while the provider answers for others. `forbidden_recheck`: after this a 403 of a readable entity is asked once more.
    `volatile`: fields that move without a change that anybody could see; they are not compared. A list takes the default's place."""

    credentials: ClassVar[tuple[str, ...]] = ()
    """The keys that hold credentials."""

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
    volatile: FieldNames = Field(default=[*VOTES])
    timeout: Period = _seconds(15)
    max_body_bytes: Count = Field(default=32 * 1024 * 1024, gt=0)

    @property
    def configured(self) -> bool:
        """Whether the credentials are there. A provider without them is not polled, and is named at the start."""
        return all(getattr(self, name) is not None for name in self.credentials)


class TmdbWatch(Section):
    """For each kind: all that the lists name, none, or these ids, which are asked directly."""

    movie: Watch = "all"
    tv: Watch = "all"
    person: Watch = "none"


class Tmdb(Provider):
    credentials: ClassVar = ("token",)

    token: Credential = None
    base_url: BaseUrl = "https://api.themoviedb.org/3"
    interval: Period = _seconds(60)
    overlap: Duration = _hours(24)
    dedupe_window: Period = _hours(30 * 24)
    watch: TmdbWatch = TmdbWatch()
    volatile: FieldNames = Field(default=["popularity", "rating", *VOTES])


class Pbs(Provider):
    credentials: ClassVar = ("key", "secret")

    key: Credential = None
    secret: Credential = None
    base_url: BaseUrl = "https://media.services.pbs.org/api/v1"
    interval: Period = _seconds(30)
    overlap: Duration = _seconds(300)
    reread: Duration = _hours(24)
    reread_every: Period = _hours(1)
    dedupe_window: Period = _hours(48)
    types: TypeNames = "all"
    volatile: FieldNames = Field(default=["updated_at"])
    rate: Number = Field(default=10, gt=0)


class Tvdb(Provider):
    credentials: ClassVar = ("apikey", "username", "userkey")

    apikey: Credential = None
    username: AccountName = None
    userkey: Credential = None
    base_url: BaseUrl = "https://api.thetvdb.com"
    version: str = "3.0.0"
    interval: Period = _seconds(300)
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

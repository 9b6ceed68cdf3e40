"""TheTVDB, API version 2: the feed of updated series, and each of them fetched with its episodes, actors and images."""

from __future__ import annotations

from collections.abc import Mapping

from producers.interface import Feed, Fetched, Refused
from producers.tvdb.client import TvdbClient, accept
from producers.tvdb.document import pictured
from producers.tvdb.fetch import Fetcher
from producers.tvdb.login import Login, Session
from producers.tvdb.poll import UpdatedFeed
from runtime.clock import Clock, SystemClock
from runtime.http import ATTEMPTS, ProviderHttp
from runtime.outbound import Outbound
from runtime.rate import RateLimit
from schemas.config import Tvdb
from schemas.event import Change, Entity, Image


class TvdbProvider:
    """TheTVDB as a provider. One feed, `updated`; all requests share one login."""

    name = "tvdb"
    names_changes = False

    def __init__(
        self,
        settings: Tvdb,
        rate: RateLimit,
        clock: Clock | None = None,
        *,
        attempts: int = ATTEMPTS,
        outbound: Outbound | None = None,
    ) -> None:
        if settings.apikey is None:
            raise ValueError("providers.tvdb needs an apikey")
        clock = clock or SystemClock()
        headers = {"Accept": accept(settings.version)}
        http = ProviderHttp.of(settings, rate, attempts=attempts, clock=clock, headers=headers, outbound=outbound)
        login = Login(
            apikey=settings.apikey.get_secret_value(),
            username=settings.username,
            userkey=settings.userkey.get_secret_value() if settings.userkey else None,
        )
        self._client = TvdbClient(http, Session(http, login, clock))
        self._fetcher = Fetcher(self._client, settings.languages, settings.volatile)
        self.feeds: tuple[Feed, ...] = (UpdatedFeed(self._client, settings, clock),)

    async def fetch(self, entity: Entity) -> Fetched | Refused | None:
        """The series now. None for another entity."""
        return await self._fetcher.fetch(entity)

    async def probe(self) -> None:
        """`GET /languages`. Raises ProviderUnavailable, CredentialsRejected, BadResponse."""
        await self._client.probe()

    def pictured(self, change: Change, images: Mapping[str, Image]) -> list[Image]:
        """The picture that the change is of: a poster, an episode's still, an actor's portrait."""
        named = pictured(change.key, change.before, change.after)
        return [] if named is None else [images.get(named.path) or named]

    async def aclose(self) -> None:
        await self._client.aclose()

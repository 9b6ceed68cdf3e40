"""TMDB v3: the lists of changed movies, series and people polled, and what they name fetched with its images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from producers.interface import Feed, Fetched, Refused
from producers.tmdb.client import TmdbClient
from producers.tmdb.fetch import Fetcher
from producers.tmdb.models import KINDS, PROVIDER
from producers.tmdb.pictures import pictured
from producers.tmdb.poll import ChangesFeed
from runtime.clock import Clock, SystemClock
from runtime.http import ATTEMPTS, ProviderHttp
from runtime.outbound import Outbound
from runtime.rate import RateLimit
from schemas.config.models import Tmdb
from schemas.event import Change, Entity, Image


class TmdbProvider:
    """TMDB as a provider: feeds `movie`, `tv`, `person`, as far as `watch` wants them. A bearer token from the settings."""

    name = PROVIDER
    names_changes = True

    def __init__(
        self,
        settings: Tmdb,
        rate: RateLimit,
        clock: Clock | None = None,
        *,
        attempts: int = ATTEMPTS,
        outbound: Outbound | None = None,
    ) -> None:
        if settings.token is None:
            raise ValueError("providers.tmdb needs a token: the API read access token of the account's settings page")
        clock = clock or SystemClock()
        headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        self._client = TmdbClient(
            ProviderHttp.of(settings, rate, attempts=attempts, clock=clock, headers=headers, outbound=outbound)
        )
        self._fetcher = Fetcher(self._client, clock, settings)
        self.feeds: tuple[Feed, ...] = tuple(_feeds(self._client, settings, clock))

    async def fetch(self, entity: Entity) -> Fetched | Refused | None:
        """The entity now, with images by path and parents by name; None for what is no entity, such as a feed.

        TMDB names its changes itself: nothing is compared. A season or episode may be named by its numbers, as
        `tmdb:series:1399/1/2`. Raises ProviderUnavailable, CredentialsRejected, BadResponse.
        """
        return await self._fetcher.fetch(entity)

    async def probe(self) -> None:
        """`GET /configuration`. Raises ProviderUnavailable, CredentialsRejected, BadResponse."""
        await self._client.configuration()

    def pictured(self, change: Change, images: Mapping[str, Image]) -> list[Image]:
        """The pictures that a change of key `images` names, from `images` or made from their paths."""
        return pictured(change, images, self._fetcher.host)

    async def aclose(self) -> None:
        await self._client.aclose()


def _feeds(client: TmdbClient, settings: Tmdb, clock: Clock) -> Iterator[ChangesFeed]:
    for kind in KINDS:
        watch = getattr(settings.watch, kind)
        if watch not in ("none", []):
            yield ChangesFeed(client, kind, settings, clock, None if watch == "all" else tuple(watch))

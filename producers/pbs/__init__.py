"""PBS Media Manager: the changelog polled, and the entities it names fetched with their parents."""

from __future__ import annotations

from collections.abc import Mapping

from producers.interface import Feed, Fetched, Refused
from producers.pbs.client import PbsClient
from producers.pbs.document import image_at
from producers.pbs.fetch import Fetcher
from producers.pbs.poll import ChangelogFeed
from runtime.clock import Clock, SystemClock
from runtime.http import ATTEMPTS, ProviderHttp
from runtime.outbound import Outbound
from runtime.rate import RateLimit
from schemas.config import Pbs
from schemas.event import Change, Entity, Image


class PbsProvider:
    """Media Manager as a provider. One feed, `changelog`; HTTP Basic with the key and the secret of the settings."""

    name = "pbs"
    names_changes = False

    def __init__(
        self,
        settings: Pbs,
        rate: RateLimit,
        clock: Clock | None = None,
        *,
        attempts: int = ATTEMPTS,
        outbound: Outbound | None = None,
    ) -> None:
        if settings.key is None or settings.secret is None:
            raise ValueError("providers.pbs needs both key and secret")
        clock = clock or SystemClock()
        auth = settings.key.get_secret_value(), settings.secret.get_secret_value()
        http = ProviderHttp.of(settings, rate, attempts=attempts, clock=clock, auth=auth, outbound=outbound)
        self._client = PbsClient(http, settings.platforms)
        self._fetcher = Fetcher(self._client, clock, settings)
        self.feeds: tuple[Feed, ...] = (ChangelogFeed(self._client, settings, clock),)

    async def fetch(self, entity: Entity) -> Fetched | Refused | None:
        """The entity's document now. None for what has no document of its own: a changed image, link or availability."""
        return await self._fetcher.fetch(entity)

    async def probe(self) -> None:
        """The changelog's newest entry. Raises ProviderUnavailable, CredentialsRejected, BadResponse."""
        await self._client.probe()

    def pictured(self, change: Change, images: Mapping[str, Image]) -> list[Image]:
        """The picture that an `images` change names by its path; made from the path when the document has it no longer."""
        if change.key != "images":
            return []
        named = [value.get("path") for value in (change.after, change.before) if isinstance(value, dict)]
        paths = [change.native_id, *named]
        path = next((path for path in paths if path), None)
        if path is None:
            return []
        return [images.get(path) or image_at(path)]

    async def aclose(self) -> None:
        await self._client.aclose()

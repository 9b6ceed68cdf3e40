"""An entity's state now: its document read into what is compared, with its parents up to the franchise."""

from __future__ import annotations

from collections.abc import Collection

from producers.interface import Fetched, Refused
from producers.pbs.client import Denied, Document, PbsClient, entity_path
from producers.pbs.document import (
    external_ids_of,
    fields_of,
    images_of,
    members_of,
    name_of,
    number_of,
    primary_image,
    public_url,
    updated_at_of,
)
from producers.pbs.entries import native_type
from producers.pbs.parents import Line, Parents
from producers.volatile import without
from runtime.clock import Clock
from schemas.config import Pbs
from schemas.event import Entity


class Fetcher:
    """Fetches entities. A parent costs a request once in `parents_kept`."""

    def __init__(self, client: PbsClient, clock: Clock, settings: Pbs) -> None:
        self._client = client
        self._volatile = frozenset(settings.volatile)
        self._parents = Parents(client, clock, settings.parents_kept)

    async def fetch(self, entity: Entity) -> Fetched | Refused | None:
        """None when the entity has no document: the changelog gives no link for a changed image, link or availability.

        Raises ProviderUnavailable when it may work later, CredentialsRejected, and BadResponse for what is no document.
        """
        path = entity_path(entity.type, entity.id, entity.url)
        if path is None:
            return None
        document = await self._client.entity(path, entity.id)
        if isinstance(document, Denied):
            return Refused(entity, document.forbidden, document.date, cached=document.cached)
        self._parents.remember(entity.type, document)
        return fetched(entity, document, await self._parents.line(document.attributes), self._volatile)


def fetched(entity: Entity, document: Document, line: Line, volatile: Collection[str]) -> Fetched:
    """The document's part of the comparison. `fetched_at` is the provider's clock at the entity's own document."""
    attributes = document.attributes
    images = images_of(attributes)
    return Fetched(
        entity=Entity(
            type=entity.type,
            native_type=entity.native_type or document.native_type or native_type(entity.type),
            id=entity.id,
            name=name_of(attributes),
            url=public_url(entity.type, attributes) or document.url or entity.url,
            parents=list(line.parents),
            number=number_of(attributes),
            external_ids=external_ids_of(attributes),
        ),
        fetched_at=document.date,
        cached=document.cached,
        expires_in_s=document.expires_in_s,
        updated_at=updated_at_of(attributes),
        fields=without(fields_of(attributes), volatile),
        members=without(members_of(attributes), volatile),
        images=images,
        primary_image=primary_image(images),
        partial=not line.whole,
    )

"""The event that a change of an entity would make now: what `changecast fetch` prints. It reads the provider and writes nothing."""

from __future__ import annotations

from producers.registry import REGISTRY
from runtime.clock import SystemClock
from runtime.outbound import Outbound
from runtime.rate import RateLimit
from schemas.config import Config
from schemas.event import ENTITY_KEY, Action, Change, ChangeEvent, Entity, ObservedData, ObservedEvent, source
from schemas.urn import Urn
from streams.enrich import Sighting, enriched


class UnknownProvider(ValueError):
    """The URN names a provider that there is none of, or that has no credentials. The message says which there are."""


async def preview(config: Config, urn: str) -> ChangeEvent:
    """Fetch the entity and make its event, as a first sight of it would. The id may be what the provider also finds it by:
    `tmdb:series:1399/1/2` is an episode by its numbers.

    Raises UnknownProvider, ValueError for what is no URN, and what the provider's fetch raises.
    """
    named = Urn.parse(urn)
    configured = config.providers.configured()
    if named.provider not in configured:
        names = ", ".join(configured) or "none"
        raise UnknownProvider(f"{urn}: {named.provider} is not a provider with credentials (there are: {names})")
    settings = configured[named.provider]
    provider = REGISTRY[named.provider](settings, RateLimit(settings.rate), outbound=Outbound.of(config.network))
    now = SystemClock().now()
    entity = Entity(type=named.type, native_type=named.type, id=named.id)
    try:
        answer = await provider.fetch(entity)
        if answer is not None:
            entity = answer.entity
        observed = ObservedEvent(
            id=f"{urn}:preview:{now.isoformat()}",
            source=source(named.provider),
            type=f"changecast.{named.provider}.{entity.type}.entity.updated",
            subject=f"{named.provider}:{entity.type}:{entity.id}",
            time=now,
            data=ObservedData(
                provider=named.provider,
                entity=entity,
                action=Action.UPDATED,
                changes=[Change(key=ENTITY_KEY, action=Action.UPDATED)],
                observed_at=now,
            ),
        )
        (event,) = enriched(provider, [Sighting(observed, 0, observed.to_json())], None, answer).events
        return event
    finally:
        await provider.aclose()

"""A resync as a command: the entity is looked up first, so that it is named as the provider names it."""

from __future__ import annotations

from datetime import UTC, datetime

from changecast.asking import asked
from changecast.operating import Operating
from changecast.provider.borrowing import borrowing, holder_name
from producers.interface import Refused
from producers.lending import polling_rate
from producers.registry import REGISTRY
from producers.resync import publish, resync_event
from runtime.outbound import Outbound
from runtime.rate import RateLimit
from runtime.topics import ensure_topics
from schemas.event import Entity, ObservedEvent
from schemas.loan import Loan
from schemas.urn import Urn

_RATE, _SHARE = 1.0, 1 / 3
"""Requests/s, but no more than so much of what polling has: a look-up takes a few."""


class NotKnown(Exception):
    """The provider knows no such entity, or has nothing to fetch for its type. The message says which."""


def run_resync(where: Operating, named: Urn, *, force: bool = False) -> ObservedEvent:
    """Look the entity up and write the event. Raises what the provider's fetch raises, and NotKnown unless `force`; nothing is
    written then."""

    async def run() -> ObservedEvent:
        limit = RateLimit(min(_RATE, _SHARE * polling_rate(where.config.providers.configured()[named.provider])))
        loan = Loan(provider=named.provider, holder=holder_name("resync"), rate=limit.rate)
        entity = await borrowing(where.cluster, loan, lambda: _looked_up(where, named, limit, force))
        event = resync_event(named.provider, entity, datetime.now(UTC))
        await ensure_topics(where.cluster, where.cluster.topics.of_provider(named.provider))
        await publish(where.cluster, event)
        return event

    return asked(where.cluster, run())


async def _looked_up(where: Operating, named: Urn, limit: RateLimit, force: bool) -> Entity:
    """The entity with its parents and numbers, by which it is fetched; one that can't be read is taken as it is named."""
    settings = where.config.providers.configured()[named.provider]
    provider = REGISTRY[named.provider](settings, limit, outbound=Outbound.of(where.config.network))
    entity = Entity(type=named.type, native_type=named.type, id=named.id)
    try:
        answer = await provider.fetch(entity)
    finally:
        await provider.aclose()
    if answer is None and not force:
        raise NotKnown(f"{named.provider} has nothing to fetch for the type {named.type!r}; is the type right?")
    if isinstance(answer, Refused) and not answer.forbidden and not force:
        raise NotKnown(f"{named.provider} does not know it; is the id right?")
    return entity if answer is None else answer.entity

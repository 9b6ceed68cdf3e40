"""An entity's state told once more: an event of its own, which goes the way of all others and is published with what is there now."""

from __future__ import annotations

from datetime import UTC, datetime

from runtime.kafka import Cluster
from schemas.event import Action, Entity, ObservedData, ObservedEvent, event_type, source
from schemas.urn import Urn


def resync_event(provider: str, entity: Entity, asked_at: datetime) -> ObservedEvent:
    """Its id is made of the subject and the time it was asked for, so dedupe takes it for what it is: new.

    It is marked, so streams publish a change of key `entity` with the state, whether or not anything differs from the last one. Its
    time is when it was asked for, so no older state satisfies it: the entity is fetched.
    """
    urn = Urn(provider, entity.type, entity.id)
    return ObservedEvent(
        id=f"{urn}:resync:{asked_at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}",
        source=source(provider),
        type=event_type(provider, entity.type, [], Action.UPDATED),
        subject=str(urn),
        time=asked_at,
        data=ObservedData(provider=provider, entity=entity, action=Action.UPDATED, resync=True, observed_at=asked_at),
    )


async def publish(cluster: Cluster, event: ObservedEvent) -> None:
    """Write it to the provider's raw topic."""
    async with cluster.producer() as producer:
        raw = cluster.topics.raw(event.data.provider).name
        await producer.send_and_wait(raw, event.to_json(), key=event.subject.encode(), headers=event.kafka_headers())

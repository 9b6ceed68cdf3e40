"""A provider that answers from memory, and a process that runs the streams on it: for tests of what surrounds the fetching."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from producers.interface import Feed, Fetched, Refused
from runtime.clock import SystemClock
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from schemas.event import Action, Change, Entity, Image, ObservedData, ObservedEvent
from streams.app import StreamsApp
from streams.enrich import Enricher
from streams.pipeline import Pipeline
from streams.reading import EntityReader

PROVIDER = "tmdb"
BEGINNING = datetime(2025, 1, 21, tzinfo=UTC)


def observed(entity_id: str, edit: int, *, entity_type: str = "movie", provider: str = PROVIDER) -> ObservedEvent:
    """Edit number `edit` of an entity."""
    entity = Entity(type=entity_type, native_type=entity_type, id=entity_id)
    change = Change(key="overview", action=Action.UPDATED, after=f"version {edit}", native_id=str(edit))
    return ObservedEvent(
        id=f"{provider}:{entity_type}:{entity_id}:{edit}",
        source=f"urn:changecast:{provider}",
        type=f"changecast.{provider}.{entity_type}.overview.updated",
        subject=f"{provider}:{entity_type}:{entity_id}",
        time=BEGINNING + timedelta(seconds=edit),
        data=ObservedData(
            provider=provider, entity=entity, action=Action.UPDATED, changes=[change], observed_at=BEGINNING + timedelta(seconds=edit)
        ),
    )


class MemoryProvider:
    """Knows every entity, and gives it a name."""

    name = PROVIDER
    feeds: tuple[Feed, ...] = ()

    async def fetch(self, entity: Entity) -> Fetched | Refused | None:
        named = entity.model_copy(update={"name": f"Movie {entity.id}"})
        return Fetched(entity=named, fetched_at=datetime.now(UTC), comparable=False)

    def pictured(self, _change: Change, _images: Mapping[str, Image]) -> list[Image]:
        return []

    async def aclose(self) -> None: ...


async def main(bootstrap_servers: str, prefix: str, data_dir: str) -> None:
    """Run a streams worker until it is killed or a batch fails."""
    cluster = Cluster.at(bootstrap_servers, prefix)
    await ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider(PROVIDER)])
    app = StreamsApp(cluster, Path(data_dir), [PROVIDER])
    provider = MemoryProvider()
    enricher = Enricher(provider, EntityReader(provider, timedelta(0), SystemClock()))
    app.pipelines[PROVIDER] = Pipeline(PROVIDER, cluster.topics, enricher, app.seen, app.snapshots)
    await app.start()
    await app.failed
    os._exit(70)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""A provider that answers from memory, and a process that runs the streams on it: for tests of what surrounds the fetching.

As a process: `python memory.py BOOTSTRAP PREFIX DATA_DIR [STUCK_FILE]`. Entities whose id stands in STUCK_FILE get no answer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from producers.interface import Feed, Fetched, Refused
from runtime.http import ProviderUnavailable
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from schemas.event import Action, Change, Entity, Image, ObservedData, ObservedEvent
from streams.app import StreamsApp
from streams.place import Place
from streams.reading import EntityReader, Patience

PROVIDER = "tmdb"
BEGINNING = datetime(2025, 1, 21, tzinfo=UTC)


def observed(
    entity_id: str, edit: int, *, entity_type: str = "movie", provider: str = PROVIDER, updated_fields: list[str] | None = None
) -> ObservedEvent:
    """Edit number `edit` of an entity, `edit` seconds after the beginning."""
    time = BEGINNING + timedelta(seconds=edit)
    entity = Entity(type=entity_type, native_type=entity_type, id=entity_id)
    change = Change(key="overview", action=Action.UPDATED, after=f"version {edit}", native_id=str(edit))
    return ObservedEvent(
        id=f"{provider}:{entity_type}:{entity_id}:{edit}",
        source=f"urn:changecast:{provider}",
        type=f"changecast.{provider}.{entity_type}.overview.updated",
        subject=f"{provider}:{entity_type}:{entity_id}",
        time=time,
        data=ObservedData(
            provider=provider,
            entity=entity,
            action=Action.UPDATED,
            changes=[change] if provider == "tmdb" else [],
            updated_fields=updated_fields or [],
            observed_at=time,
        ),
    )


def image(path: str, language: str | None = None) -> Image:
    return Image(kind="still", url=f"https://images.example{path}", path=path, width=1920, height=1080, language=language)


@dataclass
class MemoryProvider:
    """Answers with what stands in `answers`, else with a name; an exception there is raised. `asked` counts the questions. `away`: the
    route that always answers does not."""

    name: str = PROVIDER
    names_changes: bool = False
    away: bool = False
    answers: dict[str, Fetched | Refused | Exception | None] = field(default_factory=dict)
    stuck: Path | None = None
    asked: list[str] = field(default_factory=list)
    feeds: tuple[Feed, ...] = ()

    async def fetch(self, entity: Entity) -> Fetched | Refused | None:
        self.asked.append(entity.id)
        while self.stuck is not None and self.stuck.exists() and entity.id in self.stuck.read_text().split():
            await asyncio.sleep(0.05)
        if entity.id not in self.answers:
            named = entity.model_copy(update={"name": f"Movie {entity.id}"})
            return Fetched(entity=named, fetched_at=datetime.now(UTC), comparable=False)
        answer = self.answers[entity.id]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def probe(self) -> None:
        if self.away:
            raise ProviderUnavailable("connection refused")

    def pictured(self, change: Change, images: Mapping[str, Image]) -> list[Image]:
        return [images[change.native_id]] if change.key == "images" and change.native_id in images else []

    async def aclose(self) -> None: ...


async def main(bootstrap_servers: str, prefix: str, data_dir: str, stuck: str | None = None) -> None:
    """Run a streams worker until it is killed, a batch fails, or SIGTERM stops it in order."""
    cluster = Cluster.at(bootstrap_servers, prefix)
    await ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider(PROVIDER)])
    app = StreamsApp(cluster, Path(data_dir), [PROVIDER])
    provider = MemoryProvider(stuck=Path(stuck) if stuck else None)
    reader = EntityReader(provider, Patience(settle=timedelta(0)))
    app.places[PROVIDER] = Place(
        provider, reader, cluster, app.seen[PROVIDER], app.snapshots[PROVIDER], timedelta(days=30), timedelta(seconds=0.3)
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await app.start()
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([stopping, app.failed], return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        await app.stop()
        os._exit(0)
    os._exit(70)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

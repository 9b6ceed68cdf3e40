"""One partition's pipeline, on tables in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from producers.interface import Fetched
from runtime.kafka import Cluster
from schemas.event import ChangeEvent, Entity
from streams.looks import Looks
from streams.pipeline import Pipeline
from streams.place import Place
from streams.reading import EntityReader, Patience
from streams.tables import Write
from tests.streams.memory import observed

PARTITION = 2
LATER = datetime(2025, 2, 1, tzinfo=UTC)


@dataclass
class MemoryTable:
    """Bytes to bytes, one partition."""

    rows: dict[bytes, bytes] = field(default_factory=dict)

    def look_up(self, partition: int, key: bytes) -> bytes | None:
        assert partition == PARTITION
        return self.rows.get(key)

    def scan(self, partition: int, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        assert partition == PARTITION
        return [(key, self.rows[key]) for key in sorted(self.rows) if key.startswith(prefix) and key > after][:limit]

    def apply(self, writes: list[Write]) -> None:
        for write in writes:
            if write.value is None:
                self.rows.pop(write.key, None)
            else:
                self.rows[write.key] = write.value


class Partition:
    """A partition's pipeline with its tables; `feed` is one cycle, and returns what it published."""

    def __init__(
        self,
        provider,
        *,
        settle=0.0,
        budget=1.0,
        tables=None,
        window=timedelta(days=30),
        volatile=(),
        looks=None,
        clock=None,
        patience=None,
    ):
        """`looks`: by default an entity that shows no change is not looked at again."""
        self.seen, self.snapshots = tables or (MemoryTable(), MemoryTable())
        self.cluster = Cluster.at("127.0.0.1:1")
        patience = patience or Patience(settle=timedelta(seconds=settle), forbidden_recheck=timedelta(0))
        reader = EntityReader(provider, patience, clock)
        bounds = window, timedelta(seconds=budget)
        place = Place(
            provider,
            reader,
            self.cluster,
            self.seen,
            self.snapshots,
            *bounds,
            volatile=frozenset(volatile),
            looks=looks or Looks(again=()),
        )
        self.pipeline = Pipeline(place, PARTITION)
        self.offset = 0

    async def feed(self, *events, commit=True):
        raw = [
            SimpleNamespace(
                key=b"k",
                value=event if isinstance(event, bytes) else event.to_json(),
                message=SimpleNamespace(offset=self.offset + index),
            )
            for index, event in enumerate(events)
        ]
        outcome = await self.pipeline.cycle(raw)
        if commit:
            self.offset += len(events)
            for table, writes in outcome.writes:
                table.apply(writes)
        return outcome.records

    def restarted(self, provider, **options):
        again = Partition(provider, tables=(self.seen, self.snapshots), **options)
        again.pipeline.restore()
        again.offset = self.offset
        return again


def changes(records):
    return [ChangeEvent.model_validate_json(record.value) for record in records if ".changes." in record.topic]


def deferred(records):
    return [record for record in records if ".deferred." in record.topic]


def show(title, fetched_at=LATER, images=None, **fields):
    entity = Entity(type="series", native_type="show", id="1", name=title)
    return Fetched(entity, fetched_at, {"title": title, **fields}, images={i.path: i for i in images or []})


def pbs(edit, **options):
    return observed("1", edit, entity_type="series", provider="pbs", **options)

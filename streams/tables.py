"""Faust tables whose changelog the batch writes itself, so that a commit never runs ahead of the state it stands on.

Faust's own table sends its changelog records when it likes. Here `apply` writes the local store and returns the records; the lane
has them acknowledged by the broker before its transaction commits. Recovery, rebalance and RocksDB stay Faust's.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from aiokafka import AIOKafkaProducer
from faust.streams import _current_event
from faust.tables.table import Table
from faust.types import TP


@dataclass(frozen=True, slots=True)
class Write:
    """One key of a table set to `value`; None deletes it."""

    key: bytes
    value: bytes | None


class ChangelogTable(Table[bytes, bytes]):
    """Bytes to bytes, partitioned like the raw topics: an entity's state lives with the worker that owns its events."""

    def on_key_set(self, key: bytes, value: bytes) -> None:
        """Faust would send the changelog record here; `acknowledged` does it instead."""

    def on_key_del(self, key: bytes) -> None:
        """See on_key_set."""

    def look_up(self, partition: int, key: bytes) -> bytes | None:
        """The key's value in a partition that this worker owns."""
        _turn_to(partition)
        return self.get(key) or None

    def scan(self, partition: int, prefix: bytes, after: bytes, limit: int) -> Iterator[tuple[bytes, bytes]]:
        """Up to `limit` keys that begin with `prefix`, in order, from behind `after` on (empty: from the first)."""
        found = 0
        for key, value in self.data._db_for_partition(partition).items(from_key=max(prefix, after)):  # type: ignore[attr-defined]
            if found == limit or not key.startswith(prefix):
                return
            if key != after:
                found += 1
                yield key, value

    def apply(self, partition: int, writes: Iterable[Write]) -> None:
        """Write to the local store of a partition that this worker owns."""
        _turn_to(partition)
        for write in writes:
            if write.value is None:
                self.pop(write.key, None)
            else:
                self[write.key] = write.value


@dataclass(frozen=True)
class _Message:
    partition: int


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Place:
    """Stands for any event of a partition: Faust's store asks the current event for nothing else."""

    message: _Message


@cache
def _place(partition: int) -> _Place:
    return _Place(_Message(partition))


def _turn_to(partition: int) -> None:
    # Faust holds the current event weakly; the cache keeps it alive
    _current_event.set(weakref.ref(_place(partition)))  # type: ignore[arg-type]


async def acknowledged(
    producer: AIOKafkaProducer, partition: int, changed: Sequence[tuple[ChangelogTable, Sequence[Write]]]
) -> None:
    """Send the tables' changelog records, and return when the broker has them all. Then the stores note how far they stand."""
    futures = [
        (table, await producer.send(table.changelog_topic.get_topic_name(), write.value, key=write.key, partition=partition))
        for table, writes in changed
        for write in writes
    ]
    last = {table.name: (table, await future) for table, future in futures}
    for table, metadata in last.values():
        table.data.set_persisted_offset(TP(metadata.topic, partition), metadata.offset)

"""Known ids and snapshots, written where the streams keep them: in their changelog topics, in their own format.

Running a million events through the worker would take a quarter of an hour and leave the same records.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from pathlib import Path

from bench.streams.workload import OLD, PROVIDER, document, entity, entity_id, event_id, fetched, subject
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from streams.dedupe import Mark
from streams.snapshots import State
from streams.tables import StateTable

_AT_A_TIME = 10_000


async def preload(cluster: Cluster, entities: int, told: Callable[[int], None]) -> None:
    """One id and one snapshot for each entity. `told` is called with how many there are so far."""
    marks, snapshots = (StateTable(cluster, PROVIDER, name, Path()).changelog for name in ("seen", "snapshots"))
    await ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider(PROVIDER), marks, snapshots])
    mark, snapshot = Mark(int(OLD.timestamp() * 1000)).pack(), _snapshots()
    async with cluster.producer(max_batch_size=1 << 20, linger_ms=5) as producer:
        for begin in range(0, entities, _AT_A_TIME):
            sent = []
            for number in range(begin, min(begin + _AT_A_TIME, entities)):
                partition = number % cluster.topics.partitions
                key = event_id(number, 0, OLD).encode()
                sent.append(await producer.send(marks.name, mark, key=key, partition=partition))
                sent.append(
                    await producer.send(snapshots.name, snapshot(number), key=subject(number).encode(), partition=partition)
                )
            await asyncio.gather(*sent)
            told(begin + len(sent) // 2)


def _snapshots() -> Callable[[int], bytes]:
    """Packed states by the entity's number: made from one, since a million models would take most of the bench's time."""
    sample = 0xFFFFFF
    packed = State.of(fetched(entity(sample), document(sample, 0), OLD)).pack()
    text, level = zlib.decompress(packed), 1
    names = (entity_id(sample).encode(), b"number %d" % sample)

    def snapshot(number: int) -> bytes:
        own = text.replace(names[0], entity_id(number).encode()).replace(names[1], b"number %d" % number)
        return zlib.compress(own, level)

    return snapshot

"""What the lanes of one provider share: whom they ask, what they remember, and how patient they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from producers.interface import Provider
from runtime.kafka import Cluster
from streams.deadlimit import DeadCount
from streams.looks import Looks
from streams.reading import EntityReader
from streams.tables import StateTable

BATCH_BUDGET = timedelta(seconds=2)


@dataclass(frozen=True)
class Place:
    """`batch_budget`: how long a batch waits for fetches before it leaves them behind. `volatile`: fields that are not compared. `looks`:
    when an entity that does not show its change is looked at again."""

    provider: Provider
    reader: EntityReader
    cluster: Cluster
    seen: StateTable
    snapshots: StateTable
    dedupe_window: timedelta
    batch_budget: timedelta = BATCH_BUDGET
    dead: DeadCount = field(default_factory=DeadCount)
    volatile: frozenset[str] = frozenset()
    looks: Looks = field(default_factory=Looks)

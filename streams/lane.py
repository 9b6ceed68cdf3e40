"""A lane: one partition of one raw topic, from the events that Faust hands over to the transaction that publishes them.

Lanes run side by side, and nothing in one waits for another. A lane works out a batch's outcome (dedupe, enrichment), and commits it
in one transaction: outputs, changes of state, and the input's offset. A kill at any moment leaves all of a batch or nothing of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from runtime.metrics import Histogram
from streams.output import Record, TransactionalOutput
from streams.statistics import Counts
from streams.tables import StateTable, Write

log = logging.getLogger(__name__)

MAX_BATCH = 300
"""Events a transaction: beyond this, throughput gains little and a replay costs more."""
GATHER_S = 0.02
"""How long a batch waits for company: a fifth of the p99 that 100 events/s are to be published in."""
BEHIND_S = 1.0
BEHIND_GATHERS = 10
"""A lane whose events are late already gathers for up to so many times as long: a transaction costs as much as dozens of events, and
with few events in each of them it would fall back further."""
MAX_WAITING = 2_000
"""Events that a lane holds in hand, some 2 MB, before it has no more of its partition fetched: a backlog stays in Kafka."""
STOP_S = 5.0


@dataclass
class Outcome:
    """What a cycle publishes, and what it writes into each table. `counts` hold once it is committed."""

    records: list[Record] = field(default_factory=list)
    writes: list[tuple[StateTable, list[Write]]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def __bool__(self) -> bool:
        return bool(self.records) or any(writes for _, writes in self.writes)


class Work(Protocol):
    """What a lane does with its events (see `pipeline.py`). `wake` is called when there is something to publish without events."""

    @property
    def full(self) -> bool:
        """Whether no more events may be taken in for now."""

    def newer(self, event: Any) -> str | None:
        """The schema of an event that only a newer version can read; None for any other."""

    async def start(self, wake: asyncio.Event) -> None: ...

    async def cycle(self, events: Sequence[Any]) -> Outcome: ...

    def statistics(self) -> Any: ...

    async def stop(self) -> None: ...


class Flow(Protocol):
    """The fetching of one partition."""

    def hold_back(self) -> None: ...

    def let_come(self) -> None: ...


class Lane:
    """Batches and publishes the events of one input partition. Whatever it raises ends the worker (see `worker.py`).

    `counts` and `transactions` (their seconds) are since its start. `busy`: events are in hand that are not committed yet."""

    def __init__(self, partition: int, output: TransactionalOutput, tables: Sequence[StateTable], work: Work, flow: Flow) -> None:
        self._partition = partition
        self._output = output
        self._tables = tables
        self.work = work
        self._flow = flow
        self._waiting: deque[tuple[Any, Any]] = deque()
        self._wake = asyncio.Event()
        self._held_back = False
        self._begun = False
        self._newer: int | None = None
        self.running = False
        self.busy = False
        self.counts = Counts()
        self.transactions = Histogram()

    @property
    def next_offset(self) -> int:
        """The next offset to be committed, whatever the lane does."""
        return self._output.next_offset

    @property
    def position(self) -> int | None:
        """The next offset to be committed; None before the start and while the lane takes nothing in, which is no standstill."""
        return self._output.next_offset if self.running and self._takes_in else None

    @property
    def _takes_in(self) -> bool:
        return self._newer is None and not self.work.full

    def add(self, event: Any, stream: Any) -> None:
        """Take an event in. Never waits: one lane that is behind must not hold up the others that share its stream."""
        self._waiting.append((event, stream))
        self.busy = True
        self._wake.set()
        if len(self._waiting) >= MAX_WAITING and not self._held_back:
            self._held_back = True
            self._flow.hold_back()

    async def run(self) -> None:
        await self._output.start()
        await self._recover()
        await self.work.start(self._wake)
        self.running = True
        while True:
            await self._wake.wait()
            await self._gather()
            self._wake.clear()
            await self._cycle(self._take())
            self.busy = bool(self._waiting)
            if self._waiting and self._takes_in:
                self._wake.set()

    async def _recover(self) -> None:
        """Bring the tables to where the last owner left them: it has been fenced, so they move no more."""
        began = time.monotonic()
        read = sum([await table.recover(self._partition) for table in self._tables])
        if read:
            log.info("partition %d: %d records of state recovered in %.1f s", self._partition, read, time.monotonic() - began)

    async def _gather(self) -> None:
        """Let a batch come together: for a moment, or as long as more comes where the lane is behind."""
        for _ in range(BEHIND_GATHERS):
            had = len(self._waiting)
            if had >= MAX_BATCH:
                return
            await asyncio.sleep(GATHER_S)
            if len(self._waiting) == had or not self._behind():
                return

    def _behind(self) -> bool:
        """Whether the next event is late already."""
        return bool(self._waiting) and time.time() - self._waiting[0][0].message.timestamp > BEHIND_S

    def _take(self) -> list[tuple[Any, Any]]:
        if not self._takes_in:
            return []
        batch: list[tuple[Any, Any]] = []
        while self._waiting and len(batch) < MAX_BATCH and not self._waits_at(self._waiting[0][0]):
            batch.append(self._waiting.popleft())
        if self._held_back and len(self._waiting) <= MAX_WAITING // 2:
            self._held_back = False
            self._flow.let_come()
        return batch

    def _waits_at(self, event: Any) -> bool:
        """Whether the event is for a newer version. The partition waits from it on, so that the order of its events holds."""
        schema = self.work.newer(event)
        if schema is None or event.message.offset < self._output.next_offset:
            return False
        self._newer = event.message.offset
        log.critical(
            "partition %d waits at offset %d, which only a newer version of changecast can read (%s): run that version for the streams",
            *(self._partition, self._newer, schema),
        )
        return True

    async def _cycle(self, batch: Sequence[tuple[Any, Any]]) -> None:
        events = self._output.fresh(event for event, _ in batch)
        if events and not self._begun:
            await self._output.begin_at(events[0].message.offset)
            self._begun = True
        outcome = await self.work.cycle(events)
        if events or outcome:
            written = [
                Record(table.changelog.name, write.key, write.value) for table, writes in outcome.writes for write in writes
            ]
            began = time.monotonic()
            ends = await self._output.commit([*written, *outcome.records], events[-1].message.offset + 1 if events else None)
            self.transactions.observe(time.monotonic() - began)
            self.counts.add(outcome.counts)
            for table, writes in outcome.writes:
                if writes:
                    table.apply(self._partition, writes, ends[table.changelog.name])
        for event, stream in batch:
            await stream.ack(event)

    async def stop(self) -> None:
        """Let the partition go. What was in hand is handed over again to the next owner, whose start fences this one."""
        self._waiting.clear()
        try:
            async with asyncio.timeout(STOP_S):
                await self.work.stop()
                await self._output.stop()
        except KafkaError as error:
            # a producer that has been fenced says so once more when it is stopped
            log.info("partition %d: let go with %s", self._partition, error)
        except TimeoutError:
            log.warning("partition %d: the producer did not stop within %.0f s and is left behind", self._partition, STOP_S)
        finally:
            for table in self._tables:
                table.close(self._partition)

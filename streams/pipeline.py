"""What a lane does in a cycle: read the raw events, drop repeats, ask for their entities, and publish what has been answered.

A cycle does not wait for a slow answer. What is not there after the batch budget, or may not be read yet, goes to the deferred topic
in the same transaction as the offset; later events of that entity follow it there, so their order holds. When the answer comes, one
transaction publishes the events and removes them from the deferred topic. The partition's next owner reads them from there.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import ValidationError

from producers.interface import Fetched
from runtime.topics import read_to_end
from schemas.event import ObservedEvent, Status
from streams import raw
from streams.dedupe import Mark, first_sightings
from streams.enrich import Sighting, covered, enriched
from streams.feedtime import FeedTimes
from streams.lane import Outcome
from streams.output import Record
from streams.pending import Pending, Waiting, from_record
from streams.place import Place
from streams.reading import Answer, Failed
from streams.records import Records, kept
from streams.snapshots import State
from streams.statistics import Counts, Statistics
from streams.sweep import Sweep, Sweeping
from streams.tables import Write

log = logging.getLogger(__name__)

MAX_PENDING = 10_000
"""Waiting events that a partition holds in memory, about 30 MB. At this it takes in no more: the raw topic keeps them for a week."""
STRAGGLERS_S = 0.25
"""What can be published waits no longer than this for the next answer: one slow entity costs the others of its batch little."""


@dataclass
class _Cycle:
    """What one cycle has gathered so far. `changes` carry the raw offset, by which the outputs are put in order."""

    changes: list[tuple[int, Record]] = field(default_factory=list)
    others: list[Record] = field(default_factory=list)
    marks: dict[str, Write] = field(default_factory=dict)
    snapshots: list[Write] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


class Pipeline:
    """One partition's work (see `lane.Work`)."""

    def __init__(self, place: Place, partition: int) -> None:
        self._place = place
        self._partition = partition
        self._name = place.provider.name
        self._records = Records(place.cluster.topics, self._name, partition, place.dead)
        self._pending = Pending()
        self._answered: set[str] = set()
        self._unreadable: dict[bytes, tuple[bytes, str]] = {}
        self._wake = asyncio.Event()
        self._feed_times = FeedTimes()
        self._sweep = Sweep(place.seen, partition, f"{self._name}:".encode(), place.dedupe_window)
        self._sweeping = Sweeping(self._sweep)

    @property
    def full(self) -> bool:
        return len(self._pending) >= MAX_PENDING

    def statistics(self) -> Statistics:
        place, partition = self._place, self._partition
        return Statistics(
            ids=self._sweep.entries,
            oldest_id_ms=self._sweep.oldest,
            ids_bytes=place.seen.bytes_on_disk(partition),
            snapshots_bytes=place.snapshots.bytes_on_disk(partition),
            waiting=len(self._pending),
        )

    async def start(self, wake: asyncio.Event) -> None:
        """Take up what the partition's last owner deferred."""
        self._wake = wake
        self._sweeping.start(wake)
        records: dict[bytes, bytes] = {}
        async for record in read_to_end(self._place.cluster, self._records.deferred, [self._partition]):
            if record.value is None:
                records.pop(record.key, None)
            else:
                records[record.key] = record.value
        for sighting in sorted(self._readable(records), key=lambda sighting: sighting.offset):
            self._pending.add(sighting).deferred += 1
        for waiting in self._pending:
            self._ask(waiting)
            waiting.let_go_of_state()
        if records:
            log.info("%s/%d: %d deferred events taken up", self._records.raw, self._partition, len(records))

    def _readable(self, records: Mapping[bytes, bytes]) -> Iterator[Sighting]:
        """What can't be read goes to the dead topic with the first cycle."""
        for key, value in records.items():
            try:
                yield from_record(value)
            except ValueError as error:
                self._unreadable[key] = (value, repr(error))
                self._wake.set()

    async def stop(self) -> None:
        self._sweeping.stop()
        readings = [waiting.reading for waiting in self._pending if waiting.reading is not None]
        for reading in readings:
            reading.cancel()
        await asyncio.gather(*readings, return_exceptions=True)

    async def cycle(self, events: Sequence[Any]) -> Outcome:
        cycle = _Cycle()
        for key, (value, error) in self._unreadable.items():
            cycle.others += [self._records.dead(key, value, None, "bad-event", error), Record(self._records.deferred, key, None)]
        self._unreadable = {}
        parsed = self._parse(events, cycle)
        fresh = first_sightings(parsed, lambda key: self._place.seen.look_up(self._partition, key))
        self._place.dead.count_good(len(parsed) - len(fresh))
        cycle.counts.events, cycle.counts.repeats = len(events), len(parsed) - len(fresh)
        cycle.marks = {sighting.id: Write(sighting.id.encode(), self._mark(sighting.event).pack()) for sighting in fresh}
        touched = {sighting.event.subject: self._pending.add(sighting) for sighting in fresh}
        await self._answers(touched.values())
        answered, self._answered = self._answered, set()
        touched |= {subject: waiting for subject in answered if (waiting := self._pending.get(subject)) is not None}
        for waiting in touched.values():
            self._publish_answered(waiting, cycle)
        for waiting in touched.values():
            cycle.others += [self._records.defer(sighting) for sighting in waiting.defer()]
            waiting.let_go_of_state()
        self._place.dead.check()
        marks = [*cycle.marks.values(), *self._sweeping.step(self._feed_times.of, grown=bool(cycle.marks))]
        records = [record for _, record in sorted(cycle.changes, key=lambda change: change[0])]
        records += cycle.others
        cycle.counts.dead = sum(self._records.is_dead(record) for record in records)
        return Outcome(records, [(self._place.seen, marks), (self._place.snapshots, cycle.snapshots)], cycle.counts)

    def _parse(self, events: Sequence[Any], cycle: _Cycle) -> list[Sighting]:
        sightings = []
        for event in events:
            try:
                sighting = Sighting(raw.read(event.value), event.message.offset, event.value)
            except raw.Unreadable as reason:
                cycle.others.append(self._records.dead(event.key, event.value, event.message.offset, "bad-event", str(reason)))
            else:
                sightings.append(sighting)
                self._feed_times.note(sighting.event)
        return sightings

    def _mark(self, event: ObservedEvent) -> Mark:
        """An event that was read ahead is met again when the feed has come to its time, so it is kept from then on."""
        return Mark(max(self._feed_times.of(event.id), raw.told_at_ms(event)))

    async def _answers(self, touched: Iterable[Waiting]) -> None:
        """Ask about the entities, and wait for the answers as long as the batch budget lets, and as more of them come."""
        budget = self._place.batch_budget.total_seconds()
        until = time.monotonic() + budget
        unanswered: set[asyncio.Task[Answer]] = set()
        some_known = False
        for waiting in touched:
            if waiting.reading is None and self._covering(waiting) is None:
                reading = self._ask(waiting)
                if self._place.reader.settling_s(waiting.newest) < budget:
                    unanswered.add(reading)
            else:
                some_known = some_known or waiting.reading is None or waiting.reading.done()
        while unanswered and (left := until - time.monotonic()) > 0:
            answered, unanswered = await asyncio.wait(unanswered, timeout=min(STRAGGLERS_S, left))
            if some_known and not answered:
                return
            some_known = some_known or bool(answered)

    def _ask(self, waiting: Waiting, *, was_readable: bool = False) -> asyncio.Task[Answer]:
        known = was_readable or self._before(waiting) is not None
        reading = asyncio.create_task(
            self._place.reader.read(waiting.entity, waiting.newest, was_readable=known), name=f"read {waiting.subject}"
        )
        waiting.reading = reading

        def answered(_: asyncio.Task[Answer]) -> None:
            self._answered.add(waiting.subject)
            self._wake.set()

        reading.add_done_callback(answered)
        return reading

    def _before(self, waiting: Waiting) -> State | None:
        """The entity's last published state."""
        if not waiting.looked_up:
            stored = self._place.snapshots.look_up(self._partition, waiting.subject.encode())
            waiting.before = self._unpacked(waiting.subject, stored) if stored else None
            waiting.looked_up = True
        return waiting.before

    @staticmethod
    def _unpacked(subject: str, stored: bytes) -> State | None:
        try:
            return State.unpack(stored)
        except (ValidationError, zlib.error, orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            log.warning("%s: the last state can't be read, and is taken as unknown: %r", subject, error)
            return None

    def _covering(self, waiting: Waiting) -> State | None:
        """The last state, where it is whole and newer than all the waiting events: then there is nothing to ask. A resync always
        asks."""
        if any(sighting.event.data.resync for sighting in waiting.sightings):
            return None
        before = self._before(waiting)
        if before is None or before.partial:
            return None
        return before if self._place.reader.covers(before.fetched_at, waiting.newest) else None

    def _publish_answered(self, waiting: Waiting, cycle: _Cycle) -> None:
        """Publish what there is an answer for. A fault of ours in it costs this entity's events, and no others."""
        try:
            published = self._published(waiting)
        except Exception as fault:
            log.exception("%s: its events can't be published", waiting.subject)
            self._bury(waiting, repr(fault), cycle)
            return
        if published is None:
            return
        answer = _answer(waiting.reading) if waiting.reading is not None else None
        changes, snapshot = published
        taken, deferred = self._pending.take(waiting, len(changes))
        for sighting, (record, status) in zip(taken, changes, strict=True):
            if self._records.is_dead(record):
                # not published, so that putting it back is no repeat; its mark may be older than this cycle
                cycle.marks[sighting.id] = Write(sighting.id.encode(), None)
            else:
                self._place.dead.count_good()
                cycle.counts.published[status] += 1
            cycle.changes.append((sighting.offset, record))
        cycle.others += self._records.undefer(taken[:deferred])
        # the first record tells what differs from the last state: where it is not published, that stays the last one told
        if snapshot is not None and not self._records.is_dead(changes[0][0]):
            cycle.snapshots.append(snapshot)
        if waiting.sightings:
            self._ask(waiting, was_readable=isinstance(answer, Fetched))

    def _published(self, waiting: Waiting) -> tuple[list[tuple[Record, Status]], Write | None] | None:
        """The records of the entity's first events, as many as can be told of now, and its snapshot. None: no answer yet."""
        provider = self._place.provider
        if waiting.reading is None:
            state = self._covering(waiting) if waiting.sightings else None
            if state is None:
                return None
            taken = waiting.sightings
            result = covered(provider, taken, state)
        elif waiting.reading.done():
            answer = _answer(waiting.reading)
            taken = waiting.sightings[: self._told(waiting, answer)]
            result = enriched(provider, taken, self._before(waiting), answer, self._place.volatile)
        else:
            return None
        changes = [
            (self._records.change(sighting, change), change.data.enrichment.status)
            for sighting, change in zip(taken, result.events, strict=True)
        ]
        return changes, kept(result.snapshot)

    def _bury(self, waiting: Waiting, error: str, cycle: _Cycle) -> None:
        taken, deferred = self._pending.take(waiting, len(waiting.sightings))
        for sighting in taken:
            cycle.marks[sighting.id] = Write(sighting.id.encode(), None)
            cycle.others.append(self._records.dead_event(sighting, "fault", error))
        cycle.others += self._records.undefer(taken[:deferred])

    def _told(self, waiting: Waiting, answer: Answer) -> int:
        """How many of the waiting events, from the first on, the answer speaks of: those that came too late for it wait on."""
        fetched_at = getattr(answer, "fetched_at", None)
        if fetched_at is None:
            return len(waiting.sightings)
        told = 1
        while told < len(waiting.sightings) and self._place.reader.covers(fetched_at, waiting.sightings[told].event.time):
            told += 1
        return told


def _answer(reading: asyncio.Task[Answer]) -> Answer:
    """What the reading brought. A fault of ours in it fails this entity's events, and no others."""
    fault = reading.exception()
    if fault is None:
        return reading.result()
    log.error("%s: %r", reading.get_name(), fault, exc_info=fault)
    return Failed(repr(fault))

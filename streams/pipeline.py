"""What a lane does in a cycle: read the raw events, drop repeats, ask for their entities, and publish what has been answered.

A cycle does not wait for a slow answer. What is not there after the batch budget, or may not be read yet, goes to the deferred topic
in the same transaction as the offset; later events of that entity follow it there, so their order holds. When the answer comes, one
transaction publishes the events and removes them from the deferred topic. The partition's next owner reads them from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.topics import read_to_end
from schemas.event import ObservedEvent, Status
from streams import feedtime, raw
from streams.dedupe import Mark, first_sightings
from streams.enrich import Sighting
from streams.feedtime import FeedTimes
from streams.inquiry import Inquiry, Shown
from streams.lane import Outcome
from streams.output import Record
from streams.pending import NewerDeferred, Pending, Waiting, from_record
from streams.place import Place
from streams.records import Records, kept
from streams.statistics import Counts, Statistics
from streams.sweep import Sweep, Sweeping
from streams.tables import Write

log = logging.getLogger(__name__)

_READ_A_TURN = 100
_ENTITY_TYPES = 1_000
"""More than any provider has."""
MAX_PENDING = 10_000
"""Waiting events that a partition holds in memory, about 30 MB. At this it takes in no more: the raw topic keeps them for a week."""


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
        self._inquiry = Inquiry(place, partition, self._pending)
        self._unreadable: dict[bytes, tuple[bytes, str]] = {}
        self._newer_deferred = 0
        self._wake = asyncio.Event()
        self._feed_times = FeedTimes()
        self._sweep = Sweep(place.seen, partition, f"{self._name}:".encode(), place.dedupe_window)
        self._sweeping = Sweeping(self._sweep)

    @property
    def full(self) -> bool:
        """Also behind deferred events of a newer version: what comes later must not be published before them."""
        return self._newer_deferred > 0 or len(self._pending) >= MAX_PENDING

    def newer(self, event: Any) -> str | None:
        return raw.newer(event.value)

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
        self.restore()
        records: dict[bytes, bytes] = {}
        async for record in read_to_end(self._place.cluster, self._records.deferred, [self._partition]):
            if record.value is None:
                records.pop(record.key, None)
            else:
                records[record.key] = record.value
        readable = [sighting async for sighting in self._readable(records)]
        for sighting in sorted(readable, key=lambda sighting: sighting.offset):
            self._pending.add(sighting).deferred += 1
        await self._inquiry.start(wake)
        if records:
            log.info("%s/%d: %d deferred events taken up", self._records.raw, self._partition, len(records))

    def restore(self) -> None:
        """How far the feeds had been read when the last owner let go."""
        self._feed_times.restore(self._place.seen.scan(self._partition, feedtime.KEY, b"", _ENTITY_TYPES))

    async def _readable(self, records: Mapping[bytes, bytes]) -> AsyncIterator[Sighting]:
        """What can't be read goes to the dead topic with the first cycle. There may be thousands: the loop has others to serve."""
        for number, (key, value) in enumerate(records.items()):
            if number % _READ_A_TURN == 0:
                await asyncio.sleep(0)
            try:
                yield from_record(value)
            except NewerDeferred as schema:
                if not self._newer_deferred:
                    log.critical(
                        "%s/%d waits: only a newer version of changecast can read a deferred event (%s): run that version",
                        *(self._records.deferred, self._partition, schema),
                    )
                self._newer_deferred += 1
            except ValueError as error:
                self._unreadable[key] = (value, repr(error))
                self._wake.set()

    async def stop(self) -> None:
        self._sweeping.stop()
        await self._inquiry.stop()

    async def cycle(self, events: Sequence[Any]) -> Outcome:
        cycle = _Cycle()
        for key, (value, error) in self._unreadable.items():
            cycle.others += [self._records.dead(key, value, None, "bad-event", error), Record(self._records.deferred, key, None)]
        self._unreadable = {}
        parsed = self._parse(events, cycle)
        fresh = first_sightings((each for each in parsed if each.id not in self._pending), self._mark_of)
        self._place.dead.count_good(len(parsed) - len(fresh))
        cycle.counts.events, cycle.counts.repeats = len(events), len(parsed) - len(fresh)
        cycle.marks = {sighting.id: Write(sighting.id.encode(), self._mark(sighting.event).pack()) for sighting in fresh}
        touched = {sighting.event.subject: self._pending.add(sighting) for sighting in fresh}
        await self._inquiry.ask(touched.values())
        touched |= self._inquiry.answered()
        for waiting in touched.values():
            self._publish_answered(waiting, cycle)
        for waiting in touched.values():
            cycle.others += [self._records.defer(sighting) for sighting in waiting.defer()]
            waiting.let_go_of_state()
        self._place.dead.check()
        expired = self._sweeping.step(self._feed_times.of, grown=bool(cycle.marks))
        # an event that waits has been seen, however long ago
        swept = [write for write in expired if write.key.decode() not in self._pending]
        marks = [*cycle.marks.values(), *swept, *self._feed_times.to_keep()]
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

    def _mark_of(self, key: bytes) -> bytes | None:
        return self._place.seen.look_up(self._partition, key)

    def _mark(self, event: ObservedEvent) -> Mark:
        """An event that was read ahead is met again when the feed has come to its time, so it is kept from then on."""
        return Mark(max(self._feed_times.of(event.id), raw.told_at_ms(event)))

    def _publish_answered(self, waiting: Waiting, cycle: _Cycle) -> None:
        """Publish what there is an answer for. A fault of ours in it costs this entity's events, and no others."""
        try:
            shown = self._inquiry.shown(waiting)
            changes = self._changes(shown) if shown is not None else []
        except Exception as fault:
            log.exception("%s: its events can't be published", waiting.subject)
            self._bury(waiting, repr(fault), cycle)
            return
        if shown is None:
            return
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
        snapshot = kept(shown.result.snapshot)
        if snapshot is not None and not self._records.is_dead(changes[0][0]):
            cycle.snapshots.append(snapshot)
        if waiting.sightings:
            self._inquiry.go_on(waiting, shown.answer)

    def _changes(self, shown: Shown) -> list[tuple[Record, Status]]:
        """The records of the events that the answer speaks of."""
        return [
            (self._records.change(sighting, change), change.data.enrichment.status)
            for sighting, change in zip(shown.sightings, shown.result.events, strict=True)
        ]

    def _bury(self, waiting: Waiting, error: str, cycle: _Cycle) -> None:
        taken, deferred = self._pending.take(waiting, len(waiting.sightings))
        for sighting in taken:
            cycle.marks[sighting.id] = Write(sighting.id.encode(), None)
            cycle.others.append(self._records.dead_event(sighting, "fault", error))
        cycle.others += self._records.undefer(taken[:deferred])

"""Asking about the entities of one partition's waiting events, and judging what the answers show.

An entity with waiting events is either being read, or rests until it is looked at again (see `looks.py`), or is covered by its snapshot:

               new event                answer
    covered ◀────────────▶ read ─────────────────────▶ published
                            ▲  │ shows nothing, stale
                            │  ▼ or incomplete
                             rest    (ends at the next look, or with a new event)
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, takewhile

import orjson
from pydantic import ValidationError

from producers.interface import Fetched
from schemas.event import ObservedEvent
from streams.enrich import Enriched, Sighting, covered, enriched, unshown
from streams.looks import fresh_at, has_shrunk, is_stale
from streams.pending import Pending, Waiting
from streams.place import Place
from streams.reading import Answer, Failed, Question
from streams.snapshots import State, is_deletion

log = logging.getLogger(__name__)

_ASKED_A_TURN = 100
"""Of thousands of deferred entities at the start: the loop has others to serve in between."""
_STEPS_OF = 100
"""Events of an entity whose next step is looked for: more of them come from a burst, and their steps with them."""
STRAGGLERS_S = 0.25
"""What can be published waits no longer than this for the next answer: one slow entity costs the others of its batch little."""


@dataclass(frozen=True)
class Shown:
    """An entity's first waiting events and what is published of them; `answer` is None where the snapshot covered them."""

    sightings: list[Sighting]
    result: Enriched
    answer: Answer


class Inquiry:
    """`start` before the first cycle; then, in each, `ask`, `answered`, and `shown` for each entity."""

    def __init__(self, place: Place, partition: int, pending: Pending) -> None:
        self._place = place
        self._partition = partition
        self._pending = pending
        self._answered: set[str] = set()
        self._due: set[str] = set()
        self._wake = asyncio.Event()

    async def start(self, wake: asyncio.Event) -> None:
        """Ask about all that wait already. `wake` is set when there is an answer, or somebody to be looked at again."""
        self._wake = wake
        for number, waiting in enumerate(self._pending):
            self._ask(waiting)
            if number % _ASKED_A_TURN == 0:
                await asyncio.sleep(0)

    async def stop(self) -> None:
        tasks = [task for waiting in self._pending for task in (waiting.reading, waiting.rest) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ask(self, touched: Iterable[Waiting]) -> None:
        """Ask about the entities, and wait for the answers as long as the batch budget lets, and as more of them come."""
        self._look_again()
        budget = self._place.batch_budget.total_seconds()
        until = time.monotonic() + budget
        unanswered: set[asyncio.Task[Answer]] = set()
        some_known = False
        for waiting in touched:
            waiting.wake()
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

    def answered(self) -> dict[str, Waiting]:
        """Those with an answer since the last call, by subject."""
        answered, self._answered = self._answered, set()
        return {subject: waiting for subject in answered if (waiting := self._pending.get(subject)) is not None}

    def shown(self, waiting: Waiting) -> Shown | None:
        """The entity's first events, as many as can be published now, with what is known of them. None: no answer yet, or one that shows
        nothing. Raises what a fault of ours raises."""
        if waiting.reading is None:
            state = self._covering(waiting) if waiting.sightings and waiting.rest is None else None
            if state is None:
                return None
            return Shown(waiting.sightings, covered(self._place.provider, waiting.sightings, state), None)
        return self._looked(waiting, _answer(waiting.reading)) if waiting.reading.done() else None

    def go_on(self, waiting: Waiting, answer: Answer) -> None:
        """Of the entity's events some were published: ask for those that came too late for the answer, and look again for the others."""
        covers = self._place.reader.covers
        if isinstance(answer, Fetched) and answer.comparable and covers(answer.fetched_at, waiting.sightings[0].event.time):
            self._rest_for_change(waiting)
        else:
            self._ask(waiting, was_readable=isinstance(answer, Fetched))

    def _look_again(self) -> None:
        """Ask about the entities that have rested."""
        due, self._due = self._due, set()
        for subject in due:
            waiting = self._pending.get(subject)
            if waiting is not None and waiting.reading is None and waiting.rest is None:
                self._ask(waiting)

    def _rest(self, waiting: Waiting, at: datetime) -> None:
        """Ask again at this time by the provider's clock, or when another event of the entity comes."""
        waiting.reading = None
        waiting.wake()
        seconds = self._place.reader.reserve_look(at)

        async def until_due() -> None:
            await self._place.reader.sleep(seconds)
            waiting.rest = None
            self._due.add(waiting.subject)
            self._wake.set()

        waiting.rest = asyncio.create_task(until_due(), name=f"rest of {waiting.subject}")

    def _rest_for_change(self, waiting: Waiting) -> None:
        events = [sighting.event for sighting in islice(waiting.sightings, _STEPS_OF)]
        self._rest(waiting, self._place.looks.next_look(events, self._place.reader.now()))

    def _ask(self, waiting: Waiting, *, was_readable: bool = False) -> asyncio.Task[Answer]:
        question = Question(
            waiting.entity, waiting.newest, was_readable=was_readable or self._was_readable(waiting), deleted=waiting.deleted
        )
        reading = asyncio.create_task(self._place.reader.read(question), name=f"read {waiting.subject}")
        waiting.reading = reading

        def answered(_: asyncio.Task[Answer]) -> None:
            self._answered.add(waiting.subject)
            self._wake.set()

        reading.add_done_callback(answered)
        return reading

    def _looked(self, waiting: Waiting, answer: Answer) -> Shown | None:
        """The first events with what the answer shows of them; None where it shows nothing yet, and the entity rests until it is looked
        at again (see `looks.py`)."""
        place, before = self._place, self._before(waiting)
        taken = waiting.sightings[: self._told(waiting, answer)]
        if not isinstance(answer, Fetched) or not answer.comparable:
            return Shown(taken, enriched(place.provider, taken, before, answer, place.volatile), answer)
        now = place.reader.now()
        if is_stale(answer, before, taken[0].event):
            given_up = list(takewhile(self._has_waited_out, taken))
            if given_up:
                return Shown(given_up, unshown(place.provider, given_up, answer), answer)
            self._rest(waiting, fresh_at(answer, now))
            return None
        if (until := self._doubted_until(waiting, before, answer, now)) is not None:
            self._rest(waiting, until)
            return None
        result = enriched(place.provider, taken, before, answer, place.volatile)
        if before is None and _is_of_before(answer, taken[0].event, place.reader.settle):
            result = replace(result, differs=False)
        if not result.differs:
            shown = sum(1 for _ in takewhile(lambda each: place.looks.shows(answer, each.event), taken))
            if not shown:
                self._rest_for_change(waiting)
                return None
            taken, result = taken[:shown], replace(result, events=result.events[:shown])
        return Shown(taken, result, answer)

    def _has_waited_out(self, sighting: Sighting) -> bool:
        """Whether fresher answers were waited for as long as they are for this event."""
        place = self._place
        return place.reader.now() >= place.reader.on_its_clock(sighting.event.data.observed_at) + place.looks.stale

    def _doubted_until(self, waiting: Waiting, before: State | None, answer: Fetched, now: datetime) -> datetime | None:
        """Until when the loss of most of the entity's members is not believed; None when it is, or nothing is lost."""
        if before is None or before.deleted or answer.partial or not has_shrunk(before, State.of(answer)):
            waiting.shrunk_looks, waiting.doubted_until = 0, None
            return None
        if waiting.doubted_until is not None and now < waiting.doubted_until:
            return waiting.doubted_until
        pauses = self._place.looks.shrunk
        if waiting.shrunk_looks >= len(pauses):
            return None
        waiting.doubted_until = now + pauses[waiting.shrunk_looks]
        waiting.shrunk_looks += 1
        log.info("%s has lost most of its members; it is looked at again before that is published", waiting.subject)
        return waiting.doubted_until

    def _told(self, waiting: Waiting, answer: Answer) -> int:
        """How many of the waiting events, from the first on, the answer speaks of: those that came too late for it wait on."""
        fetched_at = getattr(answer, "fetched_at", None)
        if fetched_at is None or self._place.provider.names_changes:
            return len(waiting.sightings)
        told = 1
        while told < len(waiting.sightings) and self._place.reader.covers(fetched_at, waiting.sightings[told].event.time):
            told += 1
        return told

    def _covering(self, waiting: Waiting) -> State | None:
        """The last state, where it shows all that the waiting events tell of: then there is nothing to ask."""
        before = self._before(waiting)
        if before is None or not all(self._place.looks.covers(before, sighting.event) for sighting in waiting.sightings):
            return None
        return before

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

    def _was_readable(self, waiting: Waiting) -> bool:
        """Whether its last state is known, and is not its deletion. States are large: nothing is unpacked for it."""
        stored = self._place.snapshots.look_up(self._partition, waiting.subject.encode())
        return stored is not None and not is_deletion(stored)


def _is_of_before(answer: Fetched, event: ObservedEvent, settle: timedelta) -> bool:
    """Whether the record says itself that it is older than the event. A feed may write its entry a moment after it saved the record."""
    return answer.updated_at is not None and answer.updated_at + settle < event.time


def _answer(reading: asyncio.Task[Answer]) -> Answer:
    """What the reading brought. A fault of ours in it fails this entity's events, and no others."""
    fault = reading.exception()
    if fault is None:
        return reading.result()
    log.error("%s: %r", reading.get_name(), fault, exc_info=fault)
    return Failed(repr(fault))

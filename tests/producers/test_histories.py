"""Random histories of edits through sandbox and producer: whatever happens on the way, each edit is told exactly once after dedupe.

In process and without Kafka: a log in memory takes a page and its cursor together or not at all, as a transaction does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from changecast.sandbox import Fault, Limits, Quirks, Sandbox
from changecast.sandbox.pbs.catalogue import pbs_time
from producers.interface import Page, Provider
from producers.pbs.entries import shared_type
from producers.registry import REGISTRY
from producers.writer import Remembered
from runtime.clock import ManualClock
from runtime.http import ProviderError
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from schemas.config import Tmdb, TmdbWatch
from schemas.cursor import Cursor
from schemas.event import ObservedEvent
from streams.dedupe import Mark, first_sightings, seen_at_of
from streams.feedtime import FeedTimes
from streams.raw import told_at_ms
from tests.producers.tmdb.test_sandbox import recorded as recorded_by_tmdb
from tests.producers.worlds import config_for

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)
BEGUN = NOON - timedelta(hours=24)
RATE = 40
BATCH = 7
SETTLES_WITHIN = 30
"""Polls until nothing is owed, once nothing fails any more."""
ODD = Quirks(tmdb_duplicate_ids=True, tmdb_null_ids=True, tmdb_null_adult=True, pbs_null_ids=True, pbs_since_inclusive=False)


class Aborted(Exception):
    """The transaction did not come through."""


@dataclass
class Log:
    """What stands in Kafka: raw events with their offsets, cursors as bytes."""

    events: list[ObservedEvent] = field(default_factory=list)
    cursors: dict[str, bytes] = field(default_factory=dict)

    def cursor(self, feed: str) -> Cursor | None:
        stored = self.cursors.get(feed)
        return Cursor.model_validate_json(stored) if stored is not None else None

    def published(self, window: timedelta) -> Counter[str]:
        """What dedupe lets through, batch by batch. It forgets at once what its feed is past by more than the window."""
        marks: dict[bytes, bytes] = {}
        told: Counter[str] = Counter()
        times, window_ms = FeedTimes(), window / timedelta(milliseconds=1)
        for start in range(0, len(self.events), BATCH):
            batch = self.events[start : start + BATCH]
            for event in batch:
                times.note(event)
            passed = first_sightings(batch, marks.get)
            marks |= {event.id.encode(): Mark(max(times.of(event.id), told_at_ms(event))).pack() for event in passed}
            marks = {key: mark for key, mark in marks.items() if seen_at_of(mark) >= times.of(key.decode()) - window_ms}
            told.update(event.id for event in passed)
        return told


@dataclass
class World:
    """A provider as the producers worker has it, over the sandbox. `shown`: ids that a whole poll cannot have missed."""

    name: str
    sandbox: Sandbox
    clock: ManualClock
    log: Log = field(default_factory=Log)
    shown: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    provider: Provider = field(init=False)
    dedupe_window: timedelta = field(init=False)
    remembered: dict[str, Remembered] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sandbox.catalogue.on_edit = lambda _edit: self.held.update(STANDS[self.name](self))
        self.held.update(STANDS[self.name](self))
        self.start()

    def start(self) -> None:
        config = config_for(self.sandbox.url, Cluster.at("127.0.0.1:1"), providers=(self.name,), interval="30s", timeout="5s")
        section = config.providers.configured()[self.name]
        if isinstance(section, Tmdb):
            section = section.model_copy(update={"watch": TmdbWatch(person="all")})
        self.dedupe_window = section.dedupe_window
        self.provider = REGISTRY[self.name](section, RateLimit(RATE, self.clock), self.clock)
        self.remembered = {feed.name: Remembered() for feed in self.provider.feeds}

    def published(self) -> Counter[str]:
        """The ids of what has come out, by how often."""
        return self.log.published(self.dedupe_window)

    async def restart(self) -> None:
        await self.provider.aclose()
        self.start()

    def edit(self, late_s: float = 0.0) -> None:
        self.sandbox.catalogue.edit(self.name, time=self.clock.now().timestamp() - late_s)

    async def poll(self, *, pages: int | None = None, edits_between: int = 0) -> bool:
        """Poll every feed. The transaction after `pages` pages is aborted; between pages come edits, so pages shift."""
        before, whole = STANDS[self.name](self), True
        for feed in self.provider.feeds:
            taken = 0
            try:
                async for page in feed.poll(self.log.cursor(feed.name)):
                    self.write(feed.name, page, aborted=taken == pages)
                    taken += 1
                    for _ in range(edits_between):
                        self.edit()
            except ProviderError:
                whole = False
            except Aborted:
                whole = False
                self.remembered[feed.name] = Remembered()
        if whole:
            self.shown |= before & STANDS[self.name](self)
        return whole

    def write(self, feed: str, page: Page, *, aborted: bool) -> None:
        if aborted:
            raise Aborted
        events = self.remembered[feed].new(page.events)
        self.log.events += events
        self.log.cursors[feed] = page.cursor.to_json()
        self.remembered[feed].add(events)

    async def settle(self) -> None:
        """Poll until every cursor has passed now, and a re-read that has been due is done."""
        self.sandbox.faults.clear()
        ended = self.clock.now()
        for _ in range(SETTLES_WITHIN):
            whole = await self.poll()
            cursors = [self.log.cursor(feed.name) for feed in self.provider.feeds]
            if whole and all(cursor is not None and cursor.read_to >= ended for cursor in cursors):
                return
            self.clock.advance(60)
        pytest.fail(f"the cursors have not passed {ended}: {cursors}")


def tmdb_stands(world: World) -> set[str]:
    class Recording:
        sandbox = world.sandbox

    return recorded_by_tmdb(Recording, BEGUN)  # type: ignore[arg-type]


def pbs_stands(world: World) -> set[str]:
    catalogue: Any = world.sandbox.catalogue.of("pbs")
    unnamed = ("link", "image") if world.sandbox.quirks.pbs_null_ids else ()
    return {
        f"pbs:{shared_type(entry.type)}:{entry.id}:{entry.action}:{pbs_time(entry.time)}"
        for entry in catalogue.feed
        if entry.time >= BEGUN.timestamp() and entry.type not in unnamed
    }


def tvdb_stands(world: World) -> set[str]:
    """Only the last update of a series: those before it are nowhere to be had."""
    catalogue: Any = world.sandbox.catalogue.of("tvdb")
    return {
        f"tvdb:series:{series.id}:{series.last_updated}"
        for series in catalogue.every()
        if series.last_updated >= BEGUN.timestamp()
    }


STANDS: dict[str, Callable[[World], set[str]]] = {
    "tmdb": tmdb_stands,
    "pbs": pbs_stands,
    "tvdb": tvdb_stands,
}
"""The ids of the events that the provider's feed calls for now."""

FAULTS = [
    {"status": 500},
    {"status": 429, "retry_after": "2"},
    {"status": 429},
    {"status": 502, "body": "<html>", "content_type": "text/html"},
    {"status": 200, "body": "<html>", "content_type": "text/html"},
    {"reset": True},
    {"status": 200, "body": '{"data": 7, "results": "none", "changes": {}}'},  # another shape than is documented
]
SHAPELESS = FAULTS[-1]

steps = st.one_of(
    st.tuples(st.just("edit"), st.integers(1, 8)),
    st.tuples(st.just("late"), st.sampled_from([30, 200])),
    st.tuples(st.just("wait"), st.sampled_from([1, 45, 3_700, 40_000, 3 * 86_400, 40 * 86_400])),
    st.tuples(st.just("poll"), st.none()),
    st.tuples(st.just("aborted"), st.integers(0, 3)),
    st.tuples(st.just("shifting"), st.integers(1, 3)),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("fault"), st.tuples(st.sampled_from(FAULTS), st.integers(1, 12))),
)


async def live(world: World, history: list[tuple[str, Any]]) -> None:
    await world.poll()
    for step, argument in history:
        match step:
            case "edit":
                for _ in range(argument):
                    world.edit()
            case "late":
                world.edit(late_s=argument if world.name == "pbs" else 0)
            case "wait":
                world.clock.advance(argument)
            case "poll":
                await world.poll()
            case "aborted":
                await world.poll(pages=argument)
            case "shifting":
                await world.poll(edits_between=argument)
            case "restart":
                await world.restart()
            case "fault":
                fault, times = argument
                world.sandbox.faults.add(Fault(f"* /{world.name}/*", times=times, **fault))
    await world.settle()


@pytest.mark.long
@pytest.mark.parametrize("name", REGISTRY)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(steps, min_size=3, max_size=14), odd=st.booleans())
@example(history=[("edit", 6), ("poll", None), ("wait", 3 * 86_400), ("edit", 1), ("aborted", 1)], odd=False)
@example(history=[("shifting", 1), ("wait", 3 * 86_400), ("aborted", 0), ("edit", 1), ("aborted", 3)], odd=True)
def test_each_edit_is_told_exactly_once_after_dedupe(name: str, history: list[tuple[str, Any]], odd: bool) -> None:
    async def run() -> None:
        clock = ManualClock(NOON)
        quirks = ODD if odd else Quirks()
        limits = Limits(tmdb_per_second=RATE)
        async with Sandbox(
            clock=lambda: clock.now().timestamp(), monotonic=clock.monotonic, quirks=quirks, limits=limits
        ) as sandbox:
            world = World(name, sandbox, clock)
            try:
                await live(world, history)
                stands = STANDS[name](world)
            finally:
                await world.provider.aclose()
        published = world.published()
        told = {event_id for event_id in published if ":feed:" not in event_id}
        assert max(published.values(), default=1) == 1
        assert stands <= told
        assert world.shown <= told
        assert told <= world.held

    asyncio.run(run())


@pytest.mark.parametrize(
    "name",
    [
        "tmdb",
        "pbs",
        "tvdb",
    ],
)
async def test_answers_of_another_shape_than_documented_are_outlived(name: str) -> None:
    clock = ManualClock(NOON)
    async with Sandbox(clock=lambda: clock.now().timestamp(), monotonic=clock.monotonic) as sandbox:
        world = World(name, sandbox, clock)
        try:
            await live(world, [("fault", (SHAPELESS, 12)), ("edit", 3), ("poll", None)])
        finally:
            await world.provider.aclose()
        assert STANDS[name](world) <= set(world.published())

"""The provider against the sandbox's TMDB: whole histories of edits, with all that can happen to a poller meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from changecast.sandbox import Fault, Limits, Quirks, Sandbox
from producers.interface import Fetched
from producers.tmdb import TmdbProvider
from runtime.clock import Clock, ManualClock, SystemClock
from runtime.http import ProviderError
from runtime.rate import RateLimit
from schemas.config.models import Tmdb, TmdbWatch
from schemas.cursor import Cursor
from schemas.event import Action, ObservedEvent

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)
FEEDS = {"movie": ("movie",), "tv": ("series", "season", "episode"), "person": ("person",)}
POINTERS = {("series", "season"), ("season", "episode")}


@dataclass
class Worker:
    """What the producers worker does, without Kafka: it keeps cursors, and each id once."""

    sandbox: Sandbox
    clock: ManualClock
    provider: TmdbProvider
    cursors: dict[str, Cursor] = field(default_factory=dict)
    events: dict[str, ObservedEvent] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)

    async def poll(self, pages: int | None = None) -> None:
        """One poll of every feed. After `pages` pages the next one is not taken, as when Kafka fails."""
        for feed in self.provider.feeds:
            taken = 0
            try:
                async for page in feed.poll(self.cursors.get(feed.name)):
                    if taken == pages:
                        break
                    taken += 1
                    self.cursors[feed.name] = page.cursor
                    self.events |= {event.id: event for event in page.events}
                    self.dead += [item.reason for item in page.broken]
            except ProviderError:
                continue

    async def restart(self) -> None:
        await self.provider.aclose()
        self.provider = provider_of(self.sandbox, self.clock)


def provider_of(sandbox: Sandbox, clock: Clock, rate: RateLimit | None = None) -> TmdbProvider:
    return TmdbProvider(
        Tmdb(
            token=SecretStr(sandbox.credentials.tmdb_token),
            base_url=f"{sandbox.url}/tmdb/3",
            watch=TmdbWatch(movie="all", tv="all", person="all"),
            interval=timedelta(seconds=30),
            timeout=timedelta(seconds=5),
        ),
        rate or RateLimit(1000, clock),
        clock,
    )


@asynccontextmanager
async def watching(quirks: Quirks | None = None) -> AsyncIterator[Worker]:
    clock = ManualClock(NOON)
    limits = Limits(tmdb_per_second=40)
    sandbox = Sandbox(clock=lambda: clock.now().timestamp(), monotonic=clock.monotonic, quirks=quirks or Quirks(), limits=limits)
    async with sandbox:
        worker = Worker(sandbox, clock, provider_of(sandbox, clock))
        try:
            yield worker
        finally:
            await worker.provider.aclose()


def recorded(worker: Worker, since: datetime) -> set[str]:
    """The ids of the events that the catalogue's history calls for: one an item, pointers left out."""
    catalogue: Any = worker.sandbox.catalogue.of("tmdb")
    return {
        f"tmdb:{kind}:{entity.id}:{item['id']}"
        for kinds in FEEDS.values()
        for kind in kinds
        for entity in catalogue.of_kind(kind)
        for time, key, item in entity.changes
        if (kind, key) not in POINTERS and int(time) >= since.timestamp()
    }


async def test_every_edit_of_a_minute_is_told_once_and_nothing_else() -> None:
    async with watching() as worker:
        for _ in range(200):
            worker.sandbox.catalogue.edit("tmdb")
        await worker.poll()
        assert set(worker.events) == recorded(worker, NOON - timedelta(hours=24))
        assert worker.dead == []


async def test_words_that_are_in_no_reference_page_are_told_in_the_shared_ones() -> None:
    async with watching(Quirks(tmdb_open_words=True)) as worker:
        for _ in range(200):
            worker.sandbox.catalogue.edit("tmdb")
        await worker.poll()
        assert set(worker.events) == recorded(worker, NOON - timedelta(hours=24))
        assert worker.dead == []
        changes = [change for event in worker.events.values() for change in event.data.changes]
        words = {(change.native_action, change.action) for change in changes}
        assert {("destroyed", Action.DELETED), ("revised", Action.UPDATED)} < words
        assert not {"xx", "XX"} & {code for change in changes for code in (change.language, change.country)}


async def test_a_text_that_can_not_be_decoded_spoils_no_neighbour() -> None:
    async with watching(Quirks(tmdb_bad_texts=True)) as worker:
        for _ in range(60):
            worker.sandbox.catalogue.edit("tmdb")
        await worker.poll()
        assert set(worker.events) == recorded(worker, NOON - timedelta(hours=24))
        assert worker.dead == []
        assert any("\ufffd" in str(change.after) for event in worker.events.values() for change in event.data.changes)


async def test_the_events_of_an_entity_come_in_the_order_of_its_edits() -> None:
    async with watching() as worker:
        for _ in range(10):
            worker.sandbox.catalogue.edit("tmdb", "episode-overview", target=63057)
            worker.clock.advance(7)
            await worker.poll()
        times = [event.time for event in worker.events.values() if event.subject == "tmdb:episode:63057"]
        assert times == sorted(times)
        assert len(times) >= 10


async def test_an_event_leads_to_the_still_that_it_names() -> None:
    async with watching() as worker:
        edit = worker.sandbox.catalogue.edit("tmdb", "episode-still-added", target=63057)
        await worker.poll()
        [path] = {item["image"]["file_path"] for item in edit.data["items"]}
        [event] = [event for event in worker.events.values() if path in str(event.data.changes[0].after)]
        answer = await worker.provider.fetch(event.data.entity)
        assert isinstance(answer, Fetched)
        [image] = worker.provider.pictured(event.data.changes[0], answer.images)
        assert image.path == path
        assert image.width is not None
        assert image.url.startswith(worker.sandbox.url)


async def test_a_movie_that_is_removed_is_told_as_deleted() -> None:
    async with watching() as worker:
        made = worker.sandbox.catalogue.edit("tmdb", "movie-created")
        await worker.poll()
        worker.sandbox.catalogue.edit("tmdb", "movie-removed", target=made.subject.split(":")[2])
        for _ in range(2):
            await worker.poll()
            worker.clock.advance(901)
        deleted = [event for event in worker.events.values() if event.type == "changecast.tmdb.movie.entity.deleted"]
        assert [event.subject for event in deleted] == [made.subject]


async def test_no_second_has_more_requests_than_the_budget() -> None:
    async with Sandbox(limits=Limits(tmdb_per_second=20)) as sandbox:
        for _ in range(60):
            sandbox.catalogue.edit("tmdb")
        provider = provider_of(sandbox, SystemClock(), RateLimit(20))
        for feed in provider.feeds:
            async for page in feed.poll(None):
                assert page.cursor.feed == feed.name
        await provider.aclose()
        assert sandbox.requests.count("tmdb", status=200) > 40
        assert sandbox.requests.count("tmdb", status=429) == 0


ODD = Quirks(tmdb_duplicate_ids=True, tmdb_null_ids=True, tmdb_null_adult=True, tmdb_whole_list=True)

steps = st.one_of(
    st.tuples(st.just("edit"), st.integers(1, 12)),
    st.tuples(st.just("wait"), st.sampled_from([1, 45, 3_600, 40_000, 90_000, 3 * 86_400])),
    st.tuples(st.just("poll"), st.sampled_from([None, None, None, 0, 1, 2, 4])),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("fault"), st.sampled_from(["* /tmdb/3/tv/*", "* /tmdb/3/movie/*", "* /tmdb/*", "* /tmdb/3/*/changes"])),
)


@pytest.mark.long
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=3, max_size=16), st.booleans(), st.sampled_from([500, 429, 200, None]))
def test_any_history_is_told_whole_whatever_happens_to_the_poller(
    history: list[tuple[str, Any]], odd: bool, status: int | None
) -> None:
    async def run() -> None:
        async with watching(ODD if odd else None) as worker:
            await worker.poll(pages=1)
            for step, argument in history:
                match step:
                    case "edit":
                        for _ in range(argument):
                            worker.sandbox.catalogue.edit("tmdb")
                    case "wait":
                        worker.clock.advance(argument)
                    case "poll":
                        await worker.poll(argument)
                    case "restart":
                        await worker.restart()
                    case "fault":
                        fault = Fault(argument, times=5, status=status, body="<html>", reset=status is None)
                        worker.sandbox.faults.add(fault)
            worker.sandbox.faults.clear()
            ended = worker.clock.now()
            for _ in range(20):
                await worker.poll()
                if all(cursor.read_to >= ended for cursor in worker.cursors.values()):
                    break
                worker.clock.advance(60)
            assert {name: cursor.read_to >= ended for name, cursor in worker.cursors.items()} == dict.fromkeys(FEEDS, True)
            assert set(worker.events) == recorded(worker, NOON - timedelta(hours=24))
            assert set(worker.dead) <= {"no-entity-id", "bad-response"}

    asyncio.run(run())

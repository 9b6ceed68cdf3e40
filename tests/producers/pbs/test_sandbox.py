"""The provider against the sandbox: each kind of edit is found, and what the feed names is fetched or refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from changecast.sandbox import Fault, Sandbox
from changecast.sandbox.pbs.samples import BURST
from producers.interface import BrokenItem, Fetched, Refused
from producers.pbs import PbsProvider
from producers.pbs.entries import shared_type
from runtime.clock import ManualClock
from runtime.http import CredentialsRejected, ProviderUnavailable
from runtime.rate import RateLimit
from schemas.config import Pbs
from schemas.cursor import Cursor
from schemas.event import Entity, ObservedEvent

NOON = datetime(2025, 9, 3, 12, tzinfo=UTC)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


def settings(sandbox: Sandbox, timeout: str = "5s", **more: Any) -> Pbs:
    keys = sandbox.credentials
    return Pbs(key=keys.pbs_key, secret=keys.pbs_secret, base_url=f"{sandbox.url}/pbs/api/v1", timeout=timeout, **more)


@pytest.fixture
async def pbs(sandbox: Sandbox) -> AsyncIterator[PbsProvider]:
    provider = PbsProvider(settings(sandbox), RateLimit(1000))
    yield provider
    await provider.aclose()


async def polled(pbs: PbsProvider) -> tuple[list[ObservedEvent], list[BrokenItem]]:
    pages = [page async for page in pbs.feeds[0].poll(None)]
    return [event for page in pages for event in page.events], [item for page in pages for item in page.broken]


@pytest.mark.parametrize(
    ("edit", "types"),
    [
        ("asset-saved", {"asset", "episode", "season", "series"}),
        ("availability", {"availability", "asset"}),
        ("station", {"station"}),
        ("asset-created", {"asset"}),
    ],
)
async def test_an_edit_is_found_and_what_it_names_is_fetched_or_has_nothing_to_fetch(
    sandbox: Sandbox, pbs: PbsProvider, edit: str, types: set[str]
) -> None:
    known = {event.id for event in (await polled(pbs))[0]}
    sandbox.catalogue.edit("pbs", edit)
    events = [event for event in (await polled(pbs))[0] if event.id not in known]
    assert types <= {event.data.entity.type for event in events}
    for event in events:
        answer = await pbs.fetch(event.data.entity)
        if event.data.entity.type == "availability":
            assert answer is None
        else:
            assert isinstance(answer, Fetched)
            assert answer.entity.name
            assert answer.entity.type == event.data.entity.type


async def test_the_feed_names_what_the_key_may_not_read(sandbox: Sandbox, pbs: PbsProvider) -> None:
    known = {event.id for event in (await polled(pbs))[0]}
    sandbox.catalogue.edit("pbs", "forbidden-asset-saved")
    events = [event for event in (await polled(pbs))[0] if event.id not in known]
    answers = [await pbs.fetch(event.data.entity) for event in events if event.data.entity.type == "asset"]
    assert answers
    assert all(isinstance(answer, Refused) and answer.forbidden for answer in answers)


@pytest.mark.parametrize(("platforms", "readable"), [(None, True), (["partnerplayer"], True), (["bento"], False), ([], False)])
async def test_what_is_on_one_platform_is_read_by_naming_it(
    sandbox: Sandbox, platforms: list[str] | None, readable: bool
) -> None:
    sandbox.quirks.pbs_platforms = True
    catalogue: Any = sandbox.catalogue.of("pbs")
    clip = next(asset for asset in catalogue.of_type("asset") if asset.attributes["object_type"] == "clip")
    named = {} if platforms is None else {"platforms": platforms}
    provider = PbsProvider(settings(sandbox, **named), RateLimit(1000))
    try:
        answer = await provider.fetch(Entity(type="asset", native_type="asset", id=clip.id))
    finally:
        await provider.aclose()
    assert isinstance(answer, Fetched if readable else Refused)


async def test_a_deleted_entity_is_gone(sandbox: Sandbox, pbs: PbsProvider) -> None:
    created = sandbox.catalogue.edit("pbs", "asset-created")
    sandbox.catalogue.edit("pbs", "asset-deleted", target=created.subject.rpartition(":")[2])
    deleted = next(
        event for event in (await polled(pbs))[0] if event.data.action == "deleted" and event.data.entity.type == "asset"
    )
    answer = await pbs.fetch(deleted.data.entity)
    assert isinstance(answer, Refused)
    assert not answer.forbidden


async def test_an_entry_that_arrives_after_younger_ones_is_found(sandbox: Sandbox, pbs: PbsProvider) -> None:
    sandbox.catalogue.edit("pbs", "asset-saved")
    pages = [page async for page in pbs.feeds[0].poll(None)]
    known = {event.id for page in pages for event in page.events}
    sandbox.catalogue.edit("pbs", "late")
    again = [event async for page in pbs.feeds[0].poll(pages[-1].cursor) for event in page.events]
    (late,) = [event for event in again if event.id not in known]
    assert late.time < max(event.time for page in pages for event in page.events)


async def test_entries_without_ids_are_kept_as_broken(sandbox: Sandbox, pbs: PbsProvider) -> None:
    sandbox.quirks.pbs_null_ids = True
    sandbox.catalogue.edit("pbs", "link-deleted")
    _, broken = await polled(pbs)
    assert {item.reason for item in broken} == {"no-entity-id"}


async def test_a_cut_connection_and_a_gateway_page_are_asked_again(sandbox: Sandbox, pbs: PbsProvider) -> None:
    sandbox.catalogue.edit("pbs", "asset-saved")
    sandbox.faults.add(Fault("GET /pbs/*", reset=True))
    sandbox.faults.add(Fault.html("GET /pbs/*"))
    events, _ = await polled(pbs)
    assert events


async def test_a_body_that_comes_a_byte_a_second_ends_at_the_time_out(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET /pbs/*", times=None, status=200, body="x" * 60, drip=0.5))
    pbs = PbsProvider(settings(sandbox, timeout="500ms"), RateLimit(1000))
    with pytest.raises(ProviderUnavailable, match="no whole answer"):
        await polled(pbs)
    await pbs.aclose()


@dataclass
class Station:
    """A sandbox and its reader on one clock. What a poll reads is read once: the cursor moves on."""

    sandbox: Sandbox
    clock: ManualClock
    provider: PbsProvider
    cursor: Cursor | None = None

    def edit(self, kind: str = "asset-saved", *, ago: timedelta = timedelta(), **more: Any) -> None:
        self.sandbox.catalogue.edit("pbs", kind, time=(self.clock.now() - ago).timestamp(), **more)

    async def poll(self) -> list[ObservedEvent]:
        events = []
        async for page in self.provider.feeds[0].poll(self.cursor):
            events += page.events
            self.cursor = page.cursor
        return events

    def asked(self) -> list[dict[str, list[str]]]:
        """The queries of the changelog's requests."""
        paths = [asked.path for asked in self.sandbox.requests.recent if asked.provider == "pbs" and "changelog" in asked.path]
        return [parse_qs(path.partition("?")[2]) for path in paths]


@asynccontextmanager
async def station(**settings: Any) -> AsyncIterator[Station]:
    clock = ManualClock(NOON)
    async with Sandbox(clock=lambda: clock.now().timestamp(), monotonic=clock.monotonic) as sandbox:
        keys = sandbox.credentials
        section = Pbs(key=keys.pbs_key, secret=keys.pbs_secret, base_url=f"{sandbox.url}/pbs/api/v1", **settings)
        provider = PbsProvider(section, RateLimit(1000, clock), clock)
        try:
            yield Station(sandbox, clock, provider)
        finally:
            await provider.aclose()


async def test_a_wrong_secret_is_told_as_such(sandbox: Sandbox) -> None:
    section = Pbs(key=sandbox.credentials.pbs_key, secret="wrong", base_url=f"{sandbox.url}/pbs/api/v1")
    provider = PbsProvider(section, RateLimit(1000))
    with pytest.raises(CredentialsRejected):
        await polled(provider)
    await provider.aclose()


async def test_pages_are_read_oldest_first_along_their_links() -> None:
    async with station() as feed:
        for minutes in range(60, 0, -1):
            feed.edit(ago=timedelta(minutes=minutes))
        events = [event for event in await feed.poll() if not event.data.out_of_turn]
        assert len(events) > 150
        assert [event.time for event in events] == sorted(event.time for event in events)
        assert [query.get("page", ["1"]) for query in feed.asked() if query.get("since") == ["2025-09-02T12:00:00.000000Z"]][
            :4
        ] == [["1"], ["2"], ["3"], ["4"]]


async def test_the_burst_of_the_reference_page_is_an_event_for_each_entry() -> None:
    async with station(since="2025-06-10T11:00:00Z") as feed:
        events = await feed.poll()
        told = Counter(event.subject for event in events)
        bursts = Counter(f"pbs:{shared_type(kind)}:{cid}" for kind, cid, _ in BURST)
        assert {subject: told[subject] for subject in bursts} == dict(bursts)
        assert max(bursts.values()) >= 7
        assert len({event.id for event in events}) == len(events)


async def test_a_first_start_begins_a_day_back_unless_it_is_told_otherwise() -> None:
    async with station() as feed:
        feed.edit("station", ago=timedelta(hours=25))
        feed.edit("station", ago=timedelta(hours=23))
        assert min(event.time for event in await feed.poll()) == NOON - timedelta(hours=23)
    async with station(since="26h") as feed:
        feed.edit("station", ago=timedelta(hours=25))
        assert min(event.time for event in await feed.poll()) == NOON - timedelta(hours=25)


async def test_an_entry_that_is_four_minutes_late_comes_with_the_next_poll_and_one_of_hours_with_the_reread() -> None:
    async with station() as feed:
        feed.edit("station", ago=timedelta(minutes=1))
        await feed.poll()
        feed.edit("station", ago=timedelta(minutes=4))
        feed.edit("station", ago=timedelta(hours=20))
        feed.clock.advance(30)
        times = {event.time for event in await feed.poll()}
        assert NOON - timedelta(minutes=4) in times
        assert NOON - timedelta(hours=20) not in times
        for _ in range(4):
            feed.clock.advance(900)
            times |= {event.time for event in await feed.poll()}
        assert NOON - timedelta(hours=20) in times


async def test_a_type_that_nobody_has_heard_of_is_told_and_has_nothing_to_fetch() -> None:
    async with station() as feed:
        feed.edit("unknown-type")
        *_, promotion, show = await feed.poll()
        assert promotion.data.entity.type == promotion.data.entity.native_type == "promotion"
        assert promotion.data.entity.url is None
        assert await feed.provider.fetch(promotion.data.entity) is None
        assert isinstance(await feed.provider.fetch(show.data.entity), Fetched)


async def test_updated_fields_are_taken_where_they_are_given() -> None:
    async with station() as feed:
        feed.edit("image")
        feed.edit("asset-created")
        events = await feed.poll()
        assert {tuple(event.data.updated_fields) for event in events if event.data.action == "created"} == {()}
        assert ("images",) in {tuple(event.data.updated_fields) for event in events}


async def test_only_the_watched_types_are_asked_for() -> None:
    async with station(types=["series", "season"]) as feed:
        for _ in range(9):
            feed.edit()
        assert {event.data.entity.type for event in await feed.poll()} <= {"series", "season"}
        assert {tuple(query["type"]) for query in feed.asked() if "since" in query} == {("show", "season")}


async def test_after_an_outage_of_three_days_the_newest_comes_out_first_and_each_entity_in_its_order() -> None:
    async with station() as feed:
        feed.edit(ago=timedelta(minutes=9))
        first = await feed.poll()
        feed.clock.advance(3 * 86_400)
        for minutes in range(3 * 1440, 0, -30):
            feed.edit(ago=timedelta(minutes=minutes))
        feed.edit("station", ago=timedelta(seconds=5))
        events = list({event.id: event for event in [*first, *await feed.poll()]}.values())
        newest = max(range(len(events)), key=lambda place: events[place].time)
        assert newest < 300 < len(events) / 2
        for subject in {event.subject for event in events}:
            times = [event.time for event in events if event.subject == subject]
            assert times == sorted(times)
        stands = [
            entry for entry in feed.sandbox.catalogue.of("pbs").feed if entry.time >= (NOON - timedelta(days=1)).timestamp()
        ]
        assert len(events) == len(stands)

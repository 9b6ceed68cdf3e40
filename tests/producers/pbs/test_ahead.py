"""What is newest comes out while an outage is walked: in an interval, in each entity's order, and once."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from producers.interface import Page
from producers.pbs.ahead import LONGEST_HISTORY
from schemas.event import ObservedEvent
from tests.producers.answering import json_answer
from tests.producers.pbs.changelog import NOON, Reader, ago, entry, reader

INTERVAL_S = 30.0
ANSWER_S = 1 / 3
"""Polling's part of PBS's default budget: three requests a second."""
OUTAGE = timedelta(days=3)


def backlog(entries: int, entities: int) -> list[dict[str, Any]]:
    """So many entries of so many entities, spread over an outage that ends now."""
    step = OUTAGE / (entries + 1)
    return [entry(NOON - OUTAGE + step * (n + 1), f"c{n % entities}") for n in range(entries)]


@asynccontextmanager
async def outage(*pending: dict[str, Any], **settings: Any) -> AsyncIterator[Reader]:
    """A process that begins at NOON. The one before it ended three days ago, and so much has happened since."""
    async with reader(now=NOON - OUTAGE, interval=f"{INTERVAL_S:.0f}s", **settings) as feed:
        feed.changelog.entries = [entry(NOON - OUTAGE - timedelta(hours=2), "before")]
        await feed.poll()
        feed.clock.advance(OUTAGE.total_seconds())
        feed.changelog.entries += pending
        feed.changelog.answer_s = ANSWER_S
        await feed.restart()
        yield feed


async def walked(feed: Reader, meanwhile: Callable[[], None] = lambda: None) -> list[Page]:
    """One poll; after each of its pages something may happen."""
    pages = []
    async for page in feed.provider.feeds[0].poll(feed.cursor):
        pages.append(page)
        feed.cursor = page.cursor
        meanwhile()
    return pages


def told(pages: list[Page]) -> list[ObservedEvent]:
    """The events as they come out of dedupe."""
    return list({event.id: event for page in pages for event in page.events}.values())


def by_entity(events: list[ObservedEvent]) -> dict[str, list[datetime]]:
    times = defaultdict(list)
    for event in events:
        times[event.subject].append(event.time)
    return times


async def test_after_three_days_a_new_change_comes_out_within_an_interval_and_each_entity_in_its_order() -> None:
    async with outage(*backlog(9_000, 300)) as feed:
        feed.changelog.answer_s = slow_s = 1.0
        numbers, came_out = itertools.count(), {}

        def meanwhile() -> None:
            """Now and then another of the entities with much behind it is changed."""
            if (number := next(numbers)) % 8 == 0:
                feed.changelog.entries.append(entry(feed.clock.now(), f"c{number * 7 % 300}"))

        pages = []
        async for page in feed.provider.feeds[0].poll(feed.cursor):
            pages.append(page)
            for event in page.events:
                came_out.setdefault(event.id, feed.clock.now())
            meanwhile()
        lasted = (feed.clock.now() - NOON).total_seconds()
        assert lasted > 4 * INTERVAL_S, "the walk is long enough for the newest to be starved"
        events = told(pages)
        new = [event for event in events if event.time >= NOON]
        assert len(new) > 20
        waits = [(came_out[event.id] - event.time).total_seconds() for event in new]
        # the interval, then the list and the history in turns with the walk
        assert max(waits) <= INTERVAL_S + 8 * slow_s
        assert len(events) == len(feed.changelog.entries)
        assert all(times == sorted(times) for times in by_entity(events).values())


async def test_the_walk_has_every_other_request_at_least() -> None:
    async with outage(*backlog(5_000, 300)) as feed:
        before = len(feed.server.requests)
        await walked(feed)
        walk = [request for request in feed.server.requests[before:] if "id=" not in request and "since=2031-03-02" in request]
        assert len(walk) >= 100
        assert len(walk) >= (len(feed.server.requests) - before) / 2 - 2


async def test_an_entity_whose_history_was_read_is_told_from_then_on_without_reading_it_again() -> None:
    async with outage(*backlog(3_000, 300)) as feed:
        feed.changelog.answer_s = 1.0
        feed.changelog.entries.append(entry(ago(seconds=9), "c7"))
        pages = await walked(feed, lambda: feed.changelog.entries.append(entry(feed.clock.now(), "c7")))
        ahead = [request for request in feed.server.requests if "id=c7" in request]
        assert len([request for request in ahead if "&page=" not in request and "?page=" not in request]) == 1
        assert by_entity(told(pages))["pbs:asset:c7"] == sorted(by_entity(told(pages))["pbs:asset:c7"])


async def test_what_is_read_ahead_leaves_the_cursor_to_the_walk_and_is_marked_as_out_of_turn() -> None:
    async with outage(*backlog(2_000, 300), entry(ago(seconds=5), "c7")) as feed:
        first = await anext(pages := feed.provider.feeds[0].poll(feed.cursor))
        cursor = first.cursor
        async for page in pages:
            if any(event.data.out_of_turn for event in page.events):
                assert all(event.data.out_of_turn for event in page.events)
                assert page.cursor == cursor
                assert page.broken == ()
            cursor = page.cursor


async def test_a_restart_in_the_middle_loses_nothing_and_keeps_the_order() -> None:
    async with outage(*backlog(2_000, 100), entry(ago(seconds=5), "c7")) as feed:
        pages = []
        for stop_after in (1, 2, 3, 4, 5, 6, 7, 1_000):
            await feed.restart()
            count = 0
            async for page in feed.provider.feeds[0].poll(feed.cursor):
                if (count := count + 1) > stop_after:
                    break  # this page was not written
                pages.append(page)
                feed.cursor = page.cursor
            feed.changelog.entries.append(entry(feed.clock.now(), f"c{stop_after}"))
        pages += await walked(feed)
        events = told(pages)
        assert len(events) == len(feed.changelog.entries)
        assert all(times == sorted(times) for times in by_entity(events).values())


async def test_what_could_not_be_written_does_not_count_as_known() -> None:
    async with outage(*backlog(4_000, 100), entry(ago(seconds=5), "c7")) as feed:
        pages = []
        async for page in feed.provider.feeds[0].poll(feed.cursor):
            if any(event.data.out_of_turn for event in page.events):
                break  # the transaction was aborted; the process lives on
            pages.append(page)
            feed.cursor = page.cursor
        feed.changelog.entries.append(entry(feed.clock.now(), "c7"))
        feed.clock.advance(INTERVAL_S)
        pages += await walked(feed)
        times = by_entity(told(pages))["pbs:asset:c7"]
        assert times == sorted(times)
        assert len(told(pages)) == len(feed.changelog.entries)


async def test_an_entity_with_too_long_a_history_is_left_to_the_walk_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "producers.pbs.ahead")
    busy = [entry(ago(hours=70, seconds=-60 * n), "busy") for n in range(LONGEST_HISTORY + 200)]
    others = [*backlog(3_000, 100), entry(ago(seconds=9), "busy"), entry(ago(seconds=5), "c7")]
    async with outage(*busy, *others) as feed:
        pages = await walked(feed)
        ahead = [event for page in pages for event in page.events if event.data.out_of_turn]
        assert ago(seconds=5) in by_entity(ahead)["pbs:asset:c7"]
        assert ago(seconds=9) not in by_entity(ahead)["pbs:asset:busy"]
        assert "busy" in caplog.text
        events = told(pages)
        assert len(events) == len(feed.changelog.entries)
        assert all(times == sorted(times) for times in by_entity(events).values())


async def test_an_entry_without_an_id_is_kept_once_as_broken_when_the_walk_comes_to_it() -> None:
    nameless = entry(ago(seconds=5), None, "link", "delete")
    async with outage(*backlog(2_000, 100), nameless, entry(ago(seconds=4), "c7")) as feed:
        pages = await walked(feed)
        assert [item.reason for page in pages for item in page.broken] == ["no-entity-id"]


async def test_a_change_that_comes_late_behind_what_was_read_ahead_is_told() -> None:
    async with outage(*backlog(3_000, 100), entry(ago(seconds=5), "c7")) as feed:
        feed.changelog.answer_s = 1.0
        seen: list[ObservedEvent] = []
        async for page in feed.provider.feeds[0].poll(feed.cursor):
            seen += page.events
            if any(event.time == ago(seconds=5) for event in page.events):
                feed.changelog.entries.append(entry(ago(seconds=200), "c7"))
            if any(event.time == ago(seconds=200) for event in page.events):
                break
        assert seen[-1].time <= NOON
        assert max(event.time for event in seen if not event.data.out_of_turn) < ago(hours=2), "long before the walk is there"


async def test_a_list_that_can_not_be_read_ahead_is_left_to_the_walk_until_the_next_interval() -> None:
    async with outage(*backlog(3_000, 100), entry(ago(seconds=5), "c7")) as feed:
        feed.changelog.answer_s = 1.0
        refused, pages = False, []
        async for page in feed.provider.feeds[0].poll(feed.cursor):
            pages.append(page)
            if not refused and len(pages) == 2:
                # a page of the re-read and one of the walk have come; the list of what is newest is next
                feed.changelog.faults = [json_answer({"detail": "Request-URI Too Large"}, 414)]
                refused = True
            elif refused and feed.clock.now() < NOON + timedelta(seconds=INTERVAL_S):
                assert not any(event.data.out_of_turn for event in page.events)
        assert any(event.data.out_of_turn for page in pages for event in page.events), "tried again"
        assert len(told(pages)) == len(feed.changelog.entries)
        assert not any(page.broken for page in pages)


async def test_a_feed_that_is_not_behind_reads_nothing_ahead() -> None:
    async with reader(interval=f"{INTERVAL_S:.0f}s", since="10m") as feed:
        await feed.poll()
        feed.clock.advance(INTERVAL_S)
        feed.changelog.entries = [entry(NOON + timedelta(seconds=n / 10), f"c{n}") for n in range(200)]
        before = len(feed.server.requests)
        await feed.poll()
        assert len(feed.server.requests) - before == 4


async def test_only_the_types_that_are_watched_are_read_ahead() -> None:
    async with outage(
        *backlog(2_000, 100), entry(ago(seconds=4), "s1", "show"), entry(ago(seconds=4), "c7"), types=["asset"]
    ) as feed:
        pages = await walked(feed)
        assert all(
            parse_qs(request.partition("?")[2])["type"] == ["asset"] for request in feed.server.requests if "since=" in request
        )
        assert {event.data.entity.type for event in told(pages)} == {"asset"}

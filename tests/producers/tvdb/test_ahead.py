"""What is newest comes out while an outage of weeks is walked: in an interval, and each series in its order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiohttp import web

from runtime.http import BadResponse
from tests.producers.answering import json_answer
from tests.producers.tvdb.test_poll import moment, updates
from tests.producers.tvdb.thetvdb import NOON


async def test_after_an_outage_of_six_days_the_newest_is_in_the_first_answer() -> None:
    async with updates() as feed:
        await feed.poll()
        feed.clock.advance(6 * 86400)
        feed.series = {1: feed.clock.now()}
        assert [item.split(":")[2] for item in await feed.ids()] == ["1"]
        assert len(feed.asked()) == 2


async def test_after_an_outage_of_weeks_the_newest_comes_before_the_walk_and_leaves_it_the_cursor() -> None:
    async with updates() as feed:
        await feed.poll()
        feed.series = {day: NOON + timedelta(days=day) for day in range(1, 25)}
        feed.clock.advance(25 * 86400)
        feed.series[99] = feed.clock.now() - timedelta(minutes=2)
        pages = await feed.poll()
        assert [event.subject for event in pages[0].events] == ["tvdb:series:99"]
        assert pages[0].events[0].data.out_of_turn
        assert pages[0].cursor.read_to == NOON
        events = [event for page in pages for event in page.events]
        assert [event.id for event in events].count(events[0].id) == 2, "the walk meets it again"
        assert {event.subject for event in events} >= {f"tvdb:series:{day}" for day in feed.series}


async def test_a_walk_of_a_year_leaves_the_newest_waiting_for_no_more_than_an_interval_and_each_series_in_its_order() -> None:
    async with updates(interval="5m") as feed:
        await feed.poll()
        feed.series = {day: NOON + timedelta(days=day) for day in range(1, 365)}
        feed.clock.advance(365 * 86400)
        answer, made, came_out, told = feed.served.answers["/updated/query"], {}, {}, {}

        def slow(request: web.Request) -> object:
            """An answer takes a minute, in which another series is updated: ones that wait in the walk, and ones that were told."""
            feed.clock.advance(60)
            number, at = 360 - len(made) % 40, feed.clock.now().replace(microsecond=0)
            feed.series[number] = made[number] = at
            return answer(request)

        feed.served.answers["/updated/query"] = slow
        async for page in feed.provider.feeds[0].poll(feed.cursor):
            for event in page.events:
                came_out.setdefault((event.data.entity.id, event.time), feed.clock.now())
                if event.id not in told.setdefault(event.subject, {}):
                    told[event.subject][event.id] = event.time
            feed.cursor = page.cursor
        began, ended = NOON + timedelta(days=365), feed.clock.now()
        assert ended - began > timedelta(minutes=50)
        waits = [out - at for (series, at), out in came_out.items() if at >= began and series != "updated"]
        assert len(waits) > 20
        # an interval, the window that was being read when it was over, and the answer itself
        assert max(waits) <= timedelta(minutes=5 + 2)
        assert all(list(times.values()) == sorted(times.values()) for times in told.values())


async def test_a_newest_answer_that_can_not_be_read_does_not_hold_up_the_walk() -> None:
    async with updates() as feed:
        await feed.poll()
        feed.clock.advance(10 * 86400)
        feed.series = {1: NOON + timedelta(days=1)}
        answer, calls = feed.served.answers["/updated/query"], iter(range(99))
        feed.served.answers["/updated/query"] = lambda request: json_answer("no list") if next(calls) == 0 else answer(request)
        assert any("tvdb:series:1:" in item for item in await feed.ids())


async def test_a_window_that_fails_for_good_keeps_no_newer_update_from_coming_out() -> None:
    async with updates() as feed:
        await feed.poll()
        feed.clock.advance(10 * 86400)
        answer = feed.served.answers["/updated/query"]

        def old_ones_fail(request: web.Request) -> object:
            recent = moment(request.query["fromTime"]) > NOON + timedelta(days=8)
            return answer(request) if recent else json_answer("no list")

        feed.served.answers["/updated/query"] = old_ones_fail
        for number in (1, 2, 3):
            feed.series[number] = feed.clock.now()
            found: list[str] = []
            with pytest.raises(BadResponse):
                async for page in feed.provider.feeds[0].poll(feed.cursor):
                    found += [event.subject for event in page.events]
            assert f"tvdb:series:{number}" in found
            feed.clock.advance(300)

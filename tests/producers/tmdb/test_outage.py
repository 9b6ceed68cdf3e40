"""Catching up: days that are walked, what moves meanwhile, and what TMDB no longer gives."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from aiohttp import web

from streams.feedtime import FeedTimes
from streams.raw import told_at_ms
from tests.producers.answering import json_answer
from tests.producers.tmdb.catalogue import NOON, TODAY, error_answer, tmdb

DAY = timedelta(days=1)
MS = timedelta(milliseconds=1)


async def test_after_three_days_away_every_day_is_walked_and_the_newest_comes_first() -> None:
    async with tmdb() as reader:
        await reader.poll()
        for days in range(4):
            reader.catalogue.edit("movie", 100 + days, time=NOON + days * DAY + timedelta(minutes=1))
        reader.clock.advance(3 * 86400 + 3600)
        events = await reader.reborn().poll()
        subjects = [event.subject for event in events]
        assert sorted(subjects) == [f"tmdb:movie:{100 + days}" for days in range(4)]
        assert set(subjects[:2]) == {"tmdb:movie:103", "tmdb:movie:102"}


async def test_an_outage_that_is_longer_than_ids_are_known_repeats_nothing() -> None:
    async with tmdb() as reader:
        for entity_id in range(1, 6):
            reader.catalogue.edit("movie", entity_id, time=NOON - timedelta(hours=entity_id))
        await reader.poll()
        for days in range(1, 10):
            reader.catalogue.edit("movie", 100 + days, time=NOON + days * DAY)
        reader.clock.advance(10 * 86400)
        again = reader.reborn()
        await again.poll()
        assert again.cursor is not None
        assert again.cursor.read_to == reader.clock.now()
        times, marks, told = FeedTimes(), dict[str, int](), Counter[str]()
        for event in (event for page in (*reader.pages, *again.pages) for event in page.events):
            times.note(event)
            if event.id not in marks:
                told[event.id] += 1
                marks[event.id] = max(times.of(event.id), told_at_ms(event))
            marks = {known: at for known, at in marks.items() if at >= times.of(known) - 2 * DAY / MS}
        assert set(told.values()) == {1}
        assert len(told) == 5 + 9


async def test_an_entity_changed_before_and_after_an_outage_is_told_in_the_order_of_its_changes() -> None:
    async with tmdb() as reader:
        await reader.poll()
        items = [reader.catalogue.edit("movie", 7, time=NOON + days * DAY + timedelta(minutes=1)) for days in range(40)]
        reader.clock.advance(39 * 86400 + 3600)
        again = reader.reborn()
        for _ in range(3):
            await again.poll()
        assert [event.id for event in again.events] == [f"tmdb:movie:7:{item}" for item in items]


async def test_no_window_is_longer_than_tmdb_answers_however_long_the_outage() -> None:
    async with tmdb() as reader:
        await reader.poll()
        subjects = set()
        for days in range(0, 60, 5):
            reader.catalogue.edit("movie", 200 + days, time=NOON + days * DAY)
            reader.catalogue.edit("movie", 1, time=NOON + days * DAY)
            subjects |= {f"tmdb:movie:{200 + days}", "tmdb:movie:1"}
        reader.clock.advance(61 * 86400)
        again = reader.reborn()
        for _ in range(5):
            await again.poll()
        assert {event.subject for event in again.events} == subjects
        assert again.broken == []
        assert again.cursor is not None
        assert again.cursor.read_to == reader.clock.now()


async def test_the_cursor_moves_day_by_day_through_an_outage() -> None:
    async with tmdb(interval="1s") as reader:
        await reader.poll()
        clock = reader.clock
        for days in range(1, 10):
            reader.catalogue.edit("movie", days, time=NOON + days * DAY)
        clock.advance(10 * 86400)
        reader.catalogue.overrides.append(lambda request: clock.advance(1))
        again = reader.reborn(interval="1s")
        seen = []
        for _ in range(12):
            await again.poll()
            assert again.cursor is not None
            seen.append(again.cursor.read_to)
        assert seen == sorted(seen)
        assert len(set(seen)) > 4


async def test_a_day_that_tmdb_no_longer_gives_is_told_as_a_gap_and_the_rest_goes_on() -> None:
    async with tmdb() as reader:
        await reader.poll()
        lost = TODAY + DAY

        def refuse(request: web.Request) -> web.Response | None:
            asked = request.path == "/movie/changes" and request.query["start_date"] == lost.isoformat()
            return error_answer(20) if asked else None

        reader.catalogue.overrides.append(refuse)
        reader.catalogue.edit("movie", 1, time=NOON + 2 * DAY)
        reader.clock.advance(5 * 86400)
        events = await reader.reborn().poll()
        [gap] = [event for event in events if event.data.changes[0].key == "gap"]
        assert gap.subject == "tmdb:feed:movie"
        assert gap.data.changes[0].after["from"] == f"{lost.isoformat()}T00:00:00Z"
        assert "tmdb:movie:1" in {event.subject for event in events}


async def test_a_list_longer_than_500_pages_is_told_as_a_gap() -> None:
    async with tmdb() as reader:

        def endless(request: web.Request) -> web.Response | None:
            if request.path != "/movie/changes":
                return None
            return json_answer({"results": [{"id": 1}], "page": 1, "total_pages": 501, "total_results": 50_100})

        reader.catalogue.overrides.append(endless)
        reader.catalogue.edit("movie", 1)
        events = await reader.poll()
        assert {"gap", "overview"} == {event.data.changes[0].key for event in events}
        assert not [request for request in reader.asked("/movie/changes") if "page=501" in request]


async def test_entries_that_change_pages_between_two_requests_are_found_when_a_past_day_is_walked() -> None:
    async with tmdb() as reader:
        await reader.poll()
        catalogue = reader.catalogue
        catalogue.page_size = 2
        for entity_id in range(1, 7):
            catalogue.edit("movie", entity_id, time=NOON + DAY)
        reader.clock.advance(5 * 86400)
        shifted: set[str] = set()

        def shift(request: web.Request) -> None:
            """Once for each day: after its first page an entry falls out before the others, so one is skipped."""
            start = request.query.get("start_date", "")
            if request.path == "/movie/changes" and request.query["page"] == "2" and start not in shifted:
                shifted.add(start)
                first = next(iter(catalogue.items))
                catalogue.items[first] = catalogue.items.pop(first)

        catalogue.overrides.append(shift)
        await reader.reborn().poll()
        again = reader.reborn()
        events = await again.poll()
        assert {event.subject for event in events} == {f"tmdb:movie:{entity_id}" for entity_id in range(1, 7)}

"""The feeds against a TMDB of the tests' own, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiohttp import web

from producers.tmdb.poll import SIDE_BY_SIDE
from runtime.http import CredentialsRejected, ProviderUnavailable
from schemas.event import Action
from tests.producers.answering import json_answer
from tests.producers.tmdb.catalogue import NOON, TODAY, error_answer, tmdb

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


async def test_a_listed_movie_is_asked_and_each_item_becomes_an_event() -> None:
    async with tmdb() as reader:
        item = reader.catalogue.edit("movie", 550, "title", value="Fight Club", iso_639_1="en", iso_3166_1="US")
        [event] = await reader.poll()
        assert event.id == f"tmdb:movie:550:{item}"
        assert event.subject == "tmdb:movie:550"
        assert event.type == "changecast.tmdb.movie.title.updated"
        assert event.time == NOON
        [change] = event.data.changes
        assert (change.key, change.action, change.language, change.country) == ("title", Action.UPDATED, "en", "US")
        assert (change.before, change.after, change.native_id) == (None, "Fight Club", item)


async def test_an_episode_is_found_by_descent_and_carries_its_parents_with_their_numbers() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit_episode(1399, 3624, 63057, (1, 2))
        [event] = await reader.poll("tv")
        entity = event.data.entity
        assert event.subject == "tmdb:episode:63057"
        assert (entity.native_type, entity.number) == ("tv_episode", 2)
        assert [(above.type, above.id, above.number) for above in entity.parents] == [
            ("series", "1399", None),
            ("season", "3624", 1),
        ]


async def test_a_season_named_a_dozen_times_is_asked_once_a_poll() -> None:
    async with tmdb() as reader:
        for minute in range(12):
            reader.catalogue.edit_episode(1399, 3624, 63057, (1, 2), NOON - timedelta(minutes=minute))
        await reader.poll("tv")
        assert len(reader.asked("/tv/season/3624/changes")) == 1
        assert len(reader.asked("/tv/episode/63057/changes")) == 1
        assert len(reader.events) == 12


async def test_a_pointer_is_published_only_where_nothing_is_found_behind_it() -> None:
    async with tmdb() as reader:
        catalogue = reader.catalogue
        catalogue.edit_episode(1399, 3624, 63057, (1, 2))
        lonely = catalogue.point(1399, 3625, 2)
        catalogue.items["tv/season", 3625] = []
        below = catalogue.edit("tv/season", 3624, "episode", value={"episode_id": 63058, "episode_number": 3})
        await reader.poll("tv")
        assert {event.id for event in reader.events if ".season." in event.type or ".episode." in event.type} >= {
            f"tmdb:series:1399:{lonely}",
            f"tmdb:season:3624:{below}",
        }
        assert len(reader.events) == 3


async def test_the_pointer_to_a_deleted_season_tells_of_it() -> None:
    async with tmdb() as reader:
        gone = {"season_id": 3630, "season_number": 7}
        item = reader.catalogue.edit("tv", 1399, "season", action="deleted", original_value=gone)
        [event] = await reader.poll("tv")
        assert event.id == f"tmdb:series:1399:{item}"
        assert event.data.changes[0].before == gone
        assert event.type == "changecast.tmdb.series.season.deleted"


async def test_all_pages_of_the_lists_are_read_for_each_kind() -> None:
    async with tmdb() as reader:
        reader.catalogue.page_size = 7
        for kind, feed in (("movie", "movie"), ("person", "person")):
            for entity_id in range(1, 31):
                reader.catalogue.edit(kind, entity_id)
            assert len(await reader.poll(feed)) == 30
            reader.cursor = None


async def test_windows_hold_yesterday_and_today_whether_or_not_the_end_day_counts() -> None:
    for end_counts in (True, False):
        async with tmdb() as reader:
            reader.catalogue.end_counts = end_counts
            reader.catalogue.edit("movie", 1, time=NOON)
            reader.catalogue.edit("movie", 2, time=NOON - timedelta(hours=20))
            await reader.poll()
            assert {event.subject for event in reader.events} == {"tmdb:movie:1", "tmdb:movie:2"}


async def test_what_is_older_than_the_first_start_is_not_reported() -> None:
    async with tmdb(since="2h") as reader:
        reader.catalogue.edit("movie", 1, time=NOON - 3 * HOUR)
        recent = reader.catalogue.edit("movie", 1, time=NOON - HOUR)
        assert [event.id for event in await reader.poll()] == [f"tmdb:movie:1:{recent}"]
        again = reader.reborn(since="2h")
        reader.clock.advance(3600)
        assert await again.poll() == []


async def test_where_the_first_start_began_is_kept_although_tmdb_was_away_at_first() -> None:
    async with tmdb() as reader:
        item = reader.catalogue.edit("movie", 1, time=NOON - 20 * HOUR)
        away = [lambda request: web.Response(status=503)]
        reader.catalogue.overrides = away
        with pytest.raises(ProviderUnavailable):
            await reader.poll()
        reader.clock.advance(2 * 86400)
        reader.catalogue.overrides = []
        assert [event.id for event in await reader.reborn().poll()] == [f"tmdb:movie:1:{item}"]


async def test_an_entity_is_asked_again_in_each_poll_while_its_day_lasts() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)
        await reader.poll()
        later = reader.catalogue.edit("movie", 550, time=NOON + HOUR)
        reader.clock.advance(2 * 3600)
        assert [event.id for event in await reader.poll()] == [f"tmdb:movie:550:{later}"]
        assert reader.asked("/movie/550/changes")[-1].startswith("GET /movie/550/changes?start_date=2025-01-21")


async def test_an_entity_is_asked_once_more_after_its_day_is_over_and_then_rests() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)
        reader.catalogue.end_counts = False
        await reader.poll()
        last = reader.catalogue.edit("movie", 550, time=NOON.replace(hour=23, minute=59, second=59))
        reader.clock.advance(13 * 3600)
        assert [event.id for event in await reader.poll()] == [f"tmdb:movie:550:{last}"]
        asked = len(reader.asked("/movie/550/changes"))
        for _ in range(3):
            reader.clock.advance(3600)
            await reader.poll()
        assert len(reader.asked("/movie/550/changes")) == asked


async def test_new_ids_are_asked_before_those_that_were_asked_already() -> None:
    async with tmdb() as reader:
        for entity_id in range(1, 20):
            reader.catalogue.edit("movie", entity_id)
        await reader.poll()
        reader.catalogue.edit("movie", 1000)
        before = len(reader.asked("/changes"))
        await reader.poll()
        asked = [request for request in reader.asked("/changes")[before:] if "/movie/changes" not in request]
        assert "/movie/1000/" in asked[0]


async def test_a_sweep_that_lasts_longer_than_the_interval_lets_the_list_be_read_in_between() -> None:
    async with tmdb(interval="10s") as reader:
        clock = reader.clock

        def slow(request: web.Request) -> None:
            if "/movie/changes" not in request.path:
                clock.advance(1)

        reader.catalogue.overrides.append(slow)
        for entity_id in range(1, 101):
            reader.catalogue.edit("movie", entity_id)
        await reader.poll()
        asked = len(reader.asked("/movie/")) - len(reader.asked("/movie/changes"))
        assert asked <= 10 + 2 * SIDE_BY_SIDE
        reader.catalogue.edit("movie", 1000)
        assert "tmdb:movie:1000" in {event.subject for event in await reader.poll()}
        for _ in range(10):
            await reader.poll()
        assert len({event.subject for event in reader.events}) == 101


async def test_the_cursor_passes_a_time_only_when_all_that_was_listed_then_has_been_asked() -> None:
    async with tmdb(interval="1s") as reader:
        clock = reader.clock
        reader.catalogue.overrides.append(lambda request: clock.advance(1))
        for entity_id in range(1, 4 * SIDE_BY_SIDE):
            reader.catalogue.edit("movie", entity_id)
        await reader.poll()
        assert reader.cursor is not None
        assert reader.cursor.read_to == NOON - DAY
        for _ in range(5):
            await reader.poll()
        assert NOON < reader.cursor.read_to <= clock.now()


async def test_a_restart_reads_the_days_that_count_again_and_gives_the_same_ids() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)
        reader.catalogue.edit_episode(1399, 3624, 63057, (1, 2))
        first = await reader.poll()
        again = reader.reborn()
        again.events.clear()
        assert [event.id for event in await again.poll()] == [event.id for event in first]


async def test_a_page_that_was_not_taken_is_read_again() -> None:
    async with tmdb() as reader:
        item = reader.catalogue.edit("movie", 550)
        await reader.poll("movie")
        later = reader.catalogue.edit("movie", 550, "title")
        feed = reader.provider.feeds[0]
        async for page in feed.poll(reader.cursor):
            if page.events:
                break
        assert {event.id for event in page.events} == {f"tmdb:movie:550:{item}", f"tmdb:movie:550:{later}"}
        assert [event.id for event in await reader.poll()] == [f"tmdb:movie:550:{later}"]


async def test_a_cursor_of_another_process_makes_the_feed_forget_what_it_remembers() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)
        await reader.poll()
        assert reader.cursor is not None
        begun = (NOON - 5 * DAY).isoformat()
        reader.cursor = reader.cursor.model_copy(update={"read_to": NOON - 3 * DAY, "position": {"begun": begun}})
        reader.catalogue.edit("movie", 551, time=NOON - 3 * DAY + HOUR)
        assert [event.subject for event in await reader.poll()] == ["tmdb:movie:551"]


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


async def test_watched_ids_are_asked_directly_and_no_list_is_read() -> None:
    async with tmdb(watch={"movie": [550], "tv": "none", "person": "none"}) as reader:
        assert [feed.name for feed in reader.provider.feeds] == ["movie"]
        reader.catalogue.edit("movie", 550)
        reader.catalogue.edit("movie", 551)
        assert [event.subject for event in await reader.poll()] == ["tmdb:movie:550"]
        assert reader.asked("/movie/changes") == []


async def test_a_watched_id_is_asked_in_windows_for_the_whole_of_an_outage() -> None:
    async with tmdb(watch={"movie": [550], "tv": "none", "person": "none"}) as reader:
        await reader.poll()
        items = [reader.catalogue.edit("movie", 550, time=NOON + days * DAY) for days in range(0, 31, 3)]
        reader.clock.advance(30 * 86400 + 60)
        events = await reader.reborn(watch={"movie": [550], "tv": "none", "person": "none"}).poll()
        assert [event.id for event in events] == [f"tmdb:movie:550:{item}" for item in items]


async def test_a_watched_id_that_never_was_is_no_deletion() -> None:
    async with tmdb(watch={"movie": [404], "tv": "none", "person": "none"}) as reader:
        for _ in range(3):
            assert await reader.poll() == []
            reader.clock.advance(3600)


async def test_a_listed_entity_that_stays_not_found_is_told_as_deleted() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 9)
        reader.catalogue.overrides.append(lambda request: error_answer(34) if "/movie/9/" in request.path else None)
        assert await reader.poll() == []
        reader.clock.advance(900)
        [event] = await reader.poll()
        assert event.type == "changecast.tmdb.movie.entity.deleted"
        assert event.subject == "tmdb:movie:9"


async def test_a_new_entity_that_is_not_yet_found_everywhere_is_asked_again() -> None:
    async with tmdb() as reader:
        item = reader.catalogue.edit("movie", 9)
        reader.catalogue.overrides = [lambda request: error_answer(34) if "/movie/9/" in request.path else None]
        assert await reader.poll() == []
        reader.catalogue.overrides = []
        assert [event.id for event in await reader.poll()] == [f"tmdb:movie:9:{item}"]


async def test_one_entity_that_fails_delays_no_other_and_holds_the_cursor() -> None:
    async with tmdb() as reader:
        for entity_id in range(1, 30):
            reader.catalogue.edit("movie", entity_id)
        ill = [lambda request: web.Response(status=500) if "/movie/29/" in request.path else None]
        reader.catalogue.overrides = ill
        assert len(await reader.poll()) == 28
        assert reader.cursor is not None
        assert reader.cursor.read_to <= NOON
        reader.catalogue.edit("movie", 1, "title")
        assert len(await reader.poll()) == 1
        reader.catalogue.overrides = []
        assert [event.subject for event in await reader.poll()] == ["tmdb:movie:29"]


async def test_an_entity_that_gives_no_answer_for_a_day_is_told_as_a_gap() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 1)
        reader.catalogue.edit("movie", 2)
        ill = [lambda request: web.Response(status=500) if "/movie/2/" in request.path else None]
        reader.catalogue.overrides = ill
        await reader.poll()
        reader.clock.advance(86400)
        [gap] = await reader.poll()
        assert gap.data.changes[0].after["entity"] == "tmdb:movie:2"
        assert reader.cursor is not None
        assert reader.cursor.read_to > NOON


async def test_an_episode_that_fails_keeps_nothing_else_of_its_series_back() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit_episode(1399, 3624, 63057, (1, 2))
        reader.catalogue.edit_episode(1399, 3624, 63058, (1, 3))
        ill = [lambda request: web.Response(status=500) if "/63058/" in request.path else None]
        reader.catalogue.overrides = ill
        assert [event.subject for event in await reader.poll("tv")] == ["tmdb:episode:63057"]
        reader.catalogue.overrides = []
        assert [event.subject for event in await reader.poll("tv")] == ["tmdb:episode:63058"]


async def test_a_provider_that_is_away_ends_the_poll() -> None:
    async with tmdb() as reader:
        for entity_id in range(1, 100):
            reader.catalogue.edit("movie", entity_id)
        reader.catalogue.overrides = [lambda request: None if request.path == "/movie/changes" else web.Response(status=503)]
        with pytest.raises(ProviderUnavailable):
            await reader.poll()
        assert len(reader.asked("/movie/")) < 100


async def test_a_rejected_token_ends_the_poll() -> None:
    async with tmdb() as reader:
        reader.catalogue.overrides = [lambda request: error_answer(7)]
        with pytest.raises(CredentialsRejected):
            await reader.poll()


async def test_429_without_retry_after_is_waited_out() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)
        left = [2]

        def over(request: web.Request) -> web.Response | None:
            left[0] -= 1
            return error_answer(25) if left[0] >= 0 else None

        reader.catalogue.overrides.append(over)
        assert len(await reader.poll()) == 1


async def test_null_and_repeated_ids_of_a_list_spoil_nothing_and_are_set_aside_once() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)

        def odd(request: web.Request) -> web.Response | None:
            if request.path != "/movie/changes":
                return None
            results = [{"id": None, "adult": None}, {"id": 550, "adult": None}, {"id": 550}, {"adult": False}, "?"]
            return json_answer({"results": results, "page": 1, "total_pages": 1, "total_results": 1})

        reader.catalogue.overrides.append(odd)
        for _ in range(3):
            await reader.poll()
        assert [event.subject for event in reader.events] == ["tmdb:movie:550"]
        assert {item.reason for item in reader.broken} == {"no-entity-id"}
        # three kinds of entries without an id, in each of the two days' lists
        assert len(reader.broken) == 6
        assert len(set(reader.asked("/movie/550/changes"))) <= 2


async def test_a_bad_item_is_set_aside_once_and_the_others_go_on() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550, "title")
        reader.catalogue.edit("movie", 550, action="vanished")
        for _ in range(3):
            await reader.poll()
        assert [event.type for event in reader.events] == ["changecast.tmdb.movie.title.updated"]
        [broken] = reader.broken
        assert broken.reason == "bad-item"
        assert b"vanished" in broken.body


async def test_a_list_page_that_is_no_json_is_set_aside_and_the_cursor_waits() -> None:
    async with tmdb() as reader:
        for entity_id in range(1, 11):
            reader.catalogue.edit("movie", entity_id)
        reader.catalogue.page_size = 5

        def html(request: web.Request) -> web.Response | None:
            bad = request.path == "/movie/changes" and request.query["page"] == "2"
            return web.Response(text="<html>Oops</html>", content_type="text/html") if bad else None

        reader.catalogue.overrides = [html]
        assert len(await reader.poll()) == 5
        assert {item.reason for item in reader.broken} == {"bad-response"}
        assert {item.body for item in reader.broken} == {b"<html>Oops</html>"}
        assert reader.cursor is not None
        assert reader.cursor.read_to == NOON - DAY
        reader.catalogue.overrides = []
        assert len(await reader.poll()) == 5
        assert reader.cursor.read_to > NOON - DAY


async def test_an_empty_day_has_no_pages() -> None:
    async with tmdb() as reader:
        assert await reader.poll() == []
        assert reader.cursor is not None
        assert reader.cursor.read_to == NOON


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


async def test_an_update_that_changes_nothing_is_an_event_all_the_same() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550, value="same", original_value="same")
        [event] = await reader.poll()
        assert event.data.changes[0].before == event.data.changes[0].after == "same"


async def test_the_sweep_tells_its_age() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)
        await reader.poll()
        feed = reader.provider.feeds[0]
        reader.clock.advance(120)
        assert feed.statistics()["sweep_age_s"] == pytest.approx(120)  # type: ignore[attr-defined]

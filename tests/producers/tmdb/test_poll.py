"""The feeds against a TMDB of the tests' own, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiohttp import web

from producers.tmdb.poll import SIDE_BY_SIDE
from runtime.http import ProviderUnavailable
from schemas.event import Action
from tests.producers.answering import json_answer
from tests.producers.tmdb.catalogue import NOON, tmdb

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
        catalogue.items["tv/episode", 63058] = []
        await reader.poll("tv")
        assert not [event for event in reader.events if ".season." in event.type], "what they point at may only be late"
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
        assert await reader.poll("tv") == [], "the season may only be late"
        reader.clock.advance(905)
        assert await reader.poll("tv") == [], "its own changes may be"
        [event] = await reader.poll("tv")
        assert event.id == f"tmdb:series:1399:{item}"
        assert event.data.changes[0].before == gone
        assert event.type == "changecast.tmdb.series.season.deleted"


async def test_all_pages_of_the_lists_are_read_for_each_kind() -> None:
    async with tmdb() as reader:
        reader.catalogue.page_size = 7
        for kind in ("movie", "tv", "person"):
            for entity_id in range(1, 31):
                reader.catalogue.edit(kind, entity_id)
            assert len(await reader.poll(kind)) == 30
            assert "page=5" in reader.asked(f"/{kind}/changes")[-1]
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


async def test_of_a_list_its_last_ids_are_asked_first_since_they_changed_last() -> None:
    async with tmdb(interval="1s") as reader:
        for entity_id in range(1, 100):
            reader.catalogue.edit("movie", entity_id)
        reader.catalogue.overrides.append(lambda request: reader.clock.advance(0.2))
        last = range(100 - SIDE_BY_SIDE, 100)
        assert {event.subject for event in await reader.poll()} == {f"tmdb:movie:{entity_id}" for entity_id in last}


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


async def test_an_empty_day_has_no_pages() -> None:
    async with tmdb() as reader:
        assert await reader.poll() == []
        assert reader.cursor is not None
        assert reader.cursor.read_to == NOON


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


async def test_an_edit_that_shows_up_behind_its_pointer_later_is_published_once() -> None:
    async with tmdb() as reader:
        reader.catalogue.point(1399, 3625, 2)
        reader.catalogue.items["tv/season", 3625] = []
        assert await reader.poll("tv") == []
        item = reader.catalogue.edit("tv/season", 3625)
        reader.clock.advance(60)
        assert [event.id for event in await reader.poll("tv")] == [f"tmdb:season:3625:{item}"]
        for _ in range(30):
            reader.clock.advance(3600)
            assert await reader.poll("tv") == []


@pytest.mark.parametrize("hours", [0.2, 3.0])
async def test_an_item_that_shows_up_after_its_day_was_closed_is_published(hours: float) -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)
        await reader.poll()
        reader.clock.advance(12 * 3600 + 11 * 60)
        assert await reader.poll() == [], "the day is closed"
        reader.clock.advance(hours * 3600)
        await reader.poll()
        late = reader.catalogue.edit("movie", 550, "title", time=NOON + timedelta(hours=11))
        reader.clock.advance(1800)
        assert await reader.poll() == []
        read_to = reader.cursor and reader.cursor.read_to
        assert read_to is not None
        assert read_to > NOON + timedelta(hours=12), "a second look holds no cursor"
        reader.clock.advance(6 * 3600)
        assert [event.id for event in await reader.poll()] == [f"tmdb:movie:550:{late}"]
        asked = len(reader.asked("/movie/550/changes"))
        reader.clock.advance(3600)
        await reader.poll()
        assert len(reader.asked("/movie/550/changes")) == asked, "once"


async def test_the_second_look_is_not_lost_in_a_restart() -> None:
    async with tmdb() as reader:
        reader.catalogue.edit("movie", 550)
        await reader.poll()
        reader.clock.advance(13 * 3600)
        await reader.poll()
        late = reader.catalogue.edit("movie", 550, "title", time=NOON + timedelta(hours=11))
        again = reader.reborn()
        reader.clock.advance(8 * 3600)
        assert [event.id for event in await again.poll()] == [f"tmdb:movie:550:{late}"]


async def test_tmdbs_clock_decides_when_a_day_is_over() -> None:
    async with tmdb(now=NOON + timedelta(hours=11, minutes=40)) as reader:
        reader.catalogue.ahead = -timedelta(minutes=30)
        reader.catalogue.edit("movie", 550)
        await reader.poll()
        reader.clock.advance(31 * 60)
        await reader.poll()  # 00:11 by our clock, 23:41 by TMDB's
        last = reader.catalogue.edit("movie", 550, "title", time=NOON + timedelta(hours=11, minutes=50))
        reader.clock.advance(15 * 60)
        assert [event.id for event in await reader.poll()] == [f"tmdb:movie:550:{last}"]


async def test_a_season_that_is_not_there_yet_when_its_day_is_closed_is_waited_for() -> None:
    async with tmdb() as reader:
        reader.catalogue.point(1399, 3625, 2, NOON + timedelta(hours=11))
        reader.clock.advance(12 * 3600 + 11 * 60)
        assert await reader.poll("tv") == []
        item = reader.catalogue.edit("tv/season", 3625, time=NOON + timedelta(hours=11))
        reader.clock.advance(300)
        assert [event.id for event in await reader.poll("tv")] == [f"tmdb:season:3625:{item}"]


async def test_pages_of_few_items_are_read_to_the_end_when_the_day_is_closed() -> None:
    async with tmdb() as reader:
        items = [reader.catalogue.edit("movie", 550, f"key{number}") for number in range(5)]

        def small(request: web.Request) -> web.Response | None:
            if request.path != "/movie/550/changes":
                return None
            page = int(request.query.get("page", "1"))
            entries = reader.catalogue.items["movie", 550][(page - 1) * 2 : page * 2]
            return json_answer({"changes": [{"key": entry["key"], "items": [entry["item"]]} for entry in entries]})

        reader.catalogue.overrides = [small]
        assert len(await reader.poll()) == 2
        reader.clock.advance(12 * 3600 + 11 * 60)
        await reader.poll()
        assert {event.id for event in reader.events} == {f"tmdb:movie:550:{item}" for item in items}


async def test_what_a_cache_kept_is_read_up_to_its_own_time() -> None:
    async with tmdb() as reader:
        reader.clock.advance(11.5 * 3600)
        reader.catalogue.edit("movie", 550)
        cached = json_answer({"changes": []}, Age="1800", Date="Tue, 21 Jan 2025 23:42:00 GMT")
        await reader.poll()
        reader.clock.advance(42 * 60)
        reader.catalogue.overrides = [lambda request: cached if request.path == "/movie/550/changes" else None]
        await reader.poll()
        reader.catalogue.overrides = []
        last = reader.catalogue.edit("movie", 550, "title", time=NOON + timedelta(hours=11, minutes=50))
        reader.clock.advance(60)
        assert f"tmdb:movie:550:{last}" in [event.id for event in await reader.poll()], (
            "the day was not closed by an answer of 23:42"
        )

"""The changelog feed against a changelog that the test fills."""

from __future__ import annotations

import base64
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from runtime.http import ProviderUnavailable
from schemas.event import Action
from tests.producers.answering import json_answer
from tests.producers.pbs.changelog import NOON, ago, entry, reader, stamp


async def test_the_first_start_reads_oldest_first_from_a_day_back_in_pages_of_fifty() -> None:
    async with reader() as feed:
        await feed.poll()
        changelog = next(request for request in feed.server.requests if "since=" in request)
        query = parse_qs(changelog.partition("?")[2])
        assert query == {"since": [stamp(ago(hours=24))], "sort": ["timestamp"], "page-size": ["50"]}
        assert changelog.startswith("GET /api/v1/changelog/?")


async def test_the_first_start_may_be_told_a_time() -> None:
    async with reader(since="2031-03-01T06:00:00Z") as feed:
        await feed.poll()
        assert parse_qs(feed.query())["since"] == ["2031-03-01T06:00:00.000000Z"]


async def test_a_first_start_that_fails_begins_later_where_it_began() -> None:
    async with reader() as feed:
        feed.changelog.entries = [entry(ago(hours=23), "a1")]
        feed.changelog.faults = [json_answer({}, 503) for _ in range(4)]
        with pytest.raises(ProviderUnavailable):
            await feed.poll()
        feed.clock.advance(5 * 3600)
        assert any("a1" in item for item in await feed.ids())


async def test_requests_carry_key_and_secret_as_basic_credentials() -> None:
    async with reader() as feed:
        await feed.poll()
        expected = "Basic " + base64.b64encode(b"key-1:secret-1").decode()
        assert {headers["Authorization"] for headers in feed.server.headers} == {expected}


async def test_an_entry_becomes_an_event_with_the_shared_words_and_the_fields_by_the_documents_words() -> None:
    async with reader() as feed:
        url = "https://media.example.org/api/v1/shows/5c1f/"
        feed.changelog.entries = [entry(ago(minutes=9), "5c1f", "show", updated_fields=["title", "image"], url=url)]
        (event,) = [event for page in await feed.poll() for event in page.events]
        assert event.id == f"pbs:series:5c1f:update:{stamp(ago(minutes=9))}"
        assert event.type == "changecast.pbs.series.entity.updated"
        assert event.subject == "pbs:series:5c1f"
        assert event.source == "urn:changecast:pbs"
        assert event.time == ago(minutes=9)
        assert (event.data.entity.type, event.data.entity.native_type) == ("series", "show")
        assert event.data.entity.url == url
        assert event.data.action is Action.UPDATED
        assert event.data.updated_fields == ["title", "images"]
        assert event.data.changes == []
        assert event.data.observed_at == NOON


@pytest.mark.parametrize(
    ("native", "shared"), [("create", Action.CREATED), ("update", Action.UPDATED), ("delete", Action.DELETED)]
)
async def test_each_action_has_its_shared_word(native: str, shared: Action) -> None:
    async with reader() as feed:
        feed.changelog.entries = [entry(ago(minutes=9), action=native)]
        (event,) = [event for page in await feed.poll() for event in page.events]
        assert event.data.action is shared
        assert event.type.endswith(shared)


async def test_all_pages_are_read_along_the_next_links_and_their_query_is_asked_of_our_own_address() -> None:
    async with reader() as feed:
        feed.changelog.largest = 3
        feed.changelog.link_host = "https://elsewhere.example.org"
        feed.changelog.entries = [entry(ago(minutes=20 - n), f"c{n}") for n in range(10)]
        pages = await feed.poll()
        assert [len(page.events) for page in pages] == [3, 3, 3, 1]
        assert [event.subject for page in pages for event in page.events] == [f"pbs:asset:c{n}" for n in range(10)]


async def test_a_burst_of_one_entity_is_one_event_for_each_entry() -> None:
    async with reader() as feed:
        feed.changelog.entries = [entry(ago(seconds=80 - 8 * n), "e1", "episode") for n in range(10)]
        assert len(set(await feed.ids())) == 10


async def test_an_entry_without_an_id_is_kept_as_broken_and_the_rest_goes_on() -> None:
    async with reader() as feed:
        feed.changelog.entries = [
            entry(ago(minutes=9), "a1"),
            entry(ago(minutes=8), None, "link", "delete", updated_fields=[]),
            entry(ago(minutes=7), "a2"),
        ]
        (page,) = await feed.poll()
        assert [event.subject for event in page.events] == ["pbs:asset:a1", "pbs:asset:a2"]
        (broken,) = page.broken
        assert broken.reason == "no-entity-id"
        assert b'"delete"' in broken.body
        assert b'"link"' in broken.body


async def test_a_broken_entry_spoils_no_other() -> None:
    async with reader() as feed:
        odd = entry(ago(minutes=8), "a9", action="burn")
        feed.changelog.entries = [entry(ago(minutes=9), "a1"), odd, entry(ago(minutes=7), "a2")]
        (page,) = await feed.poll()
        assert [event.subject for event in page.events] == ["pbs:asset:a1", "pbs:asset:a2"]
        assert [broken.reason for broken in page.broken] == ["bad-item"]


async def test_the_types_filter_is_sent_to_the_server_in_its_own_words() -> None:
    async with reader(types=["asset", "series"]) as feed:
        feed.changelog.entries = [entry(ago(minutes=5 + n), f"c{n}", kind) for n, kind in enumerate(["asset", "show", "season"])]
        assert sorted(event.subject for page in await feed.poll() for event in page.events) == ["pbs:asset:c0", "pbs:series:c1"]
        assert parse_qs(feed.query())["type"] == ["asset", "show"]


async def test_the_next_poll_rewinds_by_the_overlap_from_the_newest_entry() -> None:
    async with reader() as feed:
        feed.changelog.entries = [entry(ago(minutes=30), "a1"), entry(ago(minutes=20), "a2")]
        await feed.poll()
        await feed.poll()
        assert parse_qs(feed.query())["since"] == [stamp(ago(minutes=25))]


async def test_the_rewind_never_reaches_behind_the_first_start() -> None:
    async with reader(since="10m") as feed:
        await feed.poll()
        feed.clock.advance(30)
        await feed.poll()
        assert parse_qs(feed.query())["since"] == [stamp(ago(minutes=10))]


@pytest.mark.parametrize("inclusive", [True, False])
async def test_entries_of_the_same_microsecond_are_all_read_whether_since_is_inclusive_or_not(inclusive: bool) -> None:
    async with reader() as feed:
        feed.changelog.inclusive = inclusive
        feed.changelog.entries = [entry(ago(minutes=9), "a1")]
        seen = await feed.ids()
        feed.changelog.entries.append(entry(ago(minutes=9), "a2"))
        seen += await feed.ids()
        assert {item.split(":")[2] for item in seen} == {"a1", "a2"}


async def test_an_entry_that_comes_up_to_five_minutes_late_is_found_by_the_next_poll() -> None:
    async with reader() as feed:
        feed.changelog.entries = [entry(ago(minutes=1), "a1")]
        await feed.poll()
        feed.changelog.entries.append(entry(ago(minutes=5), "late"))
        assert any("late" in item for item in await feed.ids())


async def test_an_entry_that_comes_hours_late_is_found_by_the_hourly_reread() -> None:
    async with reader() as feed:
        feed.changelog.entries = [entry(ago(minutes=1), "a1")]
        await feed.poll()
        feed.changelog.entries.append(entry(ago(hours=7), "late"))
        feed.clock.advance(59 * 60)
        assert not any("late" in item for item in await feed.ids())
        feed.clock.advance(60)
        assert any("late" in item for item in await feed.ids())
        feed.clock.advance(30)
        assert not any("late" in item for item in await feed.ids()), "once an hour"


async def test_the_reread_begins_no_earlier_than_the_first_start() -> None:
    async with reader(since="1h") as feed:
        feed.changelog.entries = [entry(ago(hours=7), "old")]
        await feed.poll()
        feed.clock.advance(3601)
        assert await feed.ids() == []


async def test_a_long_reread_leaves_each_poll_its_interval_and_goes_on_where_it_was_also_after_a_restart() -> None:
    async with reader(interval="30s", since="48h") as feed:
        await feed.poll()
        # a day's entries, a page each, where a page takes ten seconds of the clock
        feed.changelog.largest = 1
        feed.changelog.entries = [entry(ago(hours=n), f"h{n}") for n in range(1, 13)]
        found = await feed.ids()
        slow, seen, polls = feed.provider.feeds[0], [], 0
        feed.clock.advance(1800)
        await feed.poll()
        feed.clock.advance(1800)
        while not seen or feed.cursor is None or "reread" in feed.cursor.position:
            feed.cursor = feed.cursor and type(feed.cursor).model_validate_json(feed.cursor.to_json())
            before = len(feed.server.requests)
            async for page in slow.poll(feed.cursor):
                feed.clock.advance(10)
                seen += [event.id for event in page.events]
                feed.cursor = page.cursor
            assert len(feed.server.requests) - before <= 6
            polls += 1
            assert polls < 50
        assert polls > 2
        assert set(found) <= set(seen)


async def test_an_entry_dated_in_the_future_does_not_hide_what_comes_before_it() -> None:
    async with reader() as feed:
        feed.changelog.entries = [entry(NOON + timedelta(days=300), "odd")]
        assert len(await feed.ids()) == 1
        feed.clock.advance(60)
        feed.changelog.entries.append(entry(NOON + timedelta(seconds=50), "a1"))
        assert any("a1" in item for item in await feed.ids())


async def test_at_the_end_of_the_list_all_is_read_up_to_the_providers_clock() -> None:
    async with reader() as feed:
        feed.changelog.largest = 1
        feed.changelog.entries = [entry(ago(minutes=30), "a1"), entry(ago(minutes=20), "a2")]
        pages = await feed.poll()
        assert [page.cursor.read_to for page in pages] == [ago(minutes=30), NOON]


async def test_pages_that_bring_nothing_new_leave_the_cursor_as_it_is() -> None:
    async with reader() as feed:
        feed.changelog.largest = 2
        feed.changelog.entries = [entry(ago(minutes=5, seconds=-n), f"a{n}") for n in range(6)]
        await feed.poll()
        before = feed.cursor
        pages = await feed.poll()
        assert [page.cursor == before for page in pages] == [True, True, True]

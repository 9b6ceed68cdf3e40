"""The feed of updates, against a TheTVDB that the test fills."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producers.interface import Page
from producers.tvdb import TvdbProvider
from producers.tvdb.poll import WINDOW, windows
from runtime.clock import ManualClock
from runtime.http import BadResponse, NotItsOwn, ProviderError, ProviderUnavailable
from schemas.cursor import Cursor
from tests.producers.answering import NOT_ITS_OWN, json_answer
from tests.producers.tvdb.thetvdb import NOON, TheTvdb, ago, provider, thetvdb


@dataclass
class Updates:
    """Series by id, with the time of their last update. Only what is not older than `horizon` is served."""

    served: TheTvdb
    provider: TvdbProvider
    series: dict[int, datetime] = field(default_factory=dict)
    cursor: Cursor | None = None

    @property
    def clock(self) -> ManualClock:
        return self.served.clock

    async def poll(self) -> list[Page]:
        """One poll's pages, without the empty one by which a first start keeps its beginning."""
        pages = []
        first = self.cursor is None
        async for page in self.provider.feeds[0].poll(self.cursor):
            pages.append(page)
            self.cursor = page.cursor
        return pages[1:] if first else pages

    async def ids(self) -> list[str]:
        return [event.id for page in await self.poll() for event in page.events]

    def asked(self) -> list[tuple[datetime, datetime]]:
        """The windows of all requests so far."""
        queries = [parse_qs(line.partition("?")[2]) for line in self.served.asked("GET /updated/query")]
        return [(moment(query["fromTime"][0]), moment(query["toTime"][0])) for query in queries]


def moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


@asynccontextmanager
async def updates(**config: Any) -> AsyncIterator[Updates]:
    async with thetvdb() as served, provider(served, **config) as made:
        feed = Updates(served, made)

        def answer(request: web.Request) -> object:
            start, end = (moment(request.query[key]) for key in ("fromTime", "toTime"))
            end = min(end, start + WINDOW)
            found = [
                {"id": number, "lastUpdated": int(at.timestamp())} for number, at in feed.series.items() if start <= at <= end
            ]
            return {"data": found[::-1]} if found else 404

        served.answers["/updated/query"] = answer
        served.answers["/languages"] = {"data": [{"id": 7, "abbreviation": "en"}]}
        yield feed


async def test_the_first_start_reads_a_day_back_up_to_now() -> None:
    async with updates() as feed:
        feed.series = {1: ago(hours=25), 2: ago(hours=23)}
        assert await feed.ids() == [f"tvdb:series:2:{int(ago(hours=23).timestamp())}"]
        assert feed.asked() == [(ago(hours=24), NOON)]


async def test_a_first_start_that_fails_begins_later_where_it_began() -> None:
    async with updates() as feed:
        feed.series = {1: ago(hours=23)}
        answer = feed.served.answers.pop("/updated/query")
        feed.served.answers["/updated/query"] = 503
        with pytest.raises(ProviderUnavailable):
            await feed.poll()
        feed.served.answers["/updated/query"] = answer
        feed.clock.advance(5 * 3600)
        assert len(await feed.ids()) == 1


async def test_an_update_becomes_an_event_of_the_series() -> None:
    async with updates() as feed:
        feed.series = {4711: ago(minutes=30)}
        ((event,),) = [page.events for page in await feed.poll()]
        assert event.id == f"tvdb:series:4711:{int(ago(minutes=30).timestamp())}"
        assert event.type == "changecast.tvdb.series.entity.updated"
        assert event.subject == "tvdb:series:4711"
        assert event.time == ago(minutes=30)
        assert event.data.changes == []
        assert event.data.observed_at == NOON


async def test_no_update_at_all_is_an_empty_page_that_moves_the_cursor() -> None:
    async with updates() as feed:
        (page,) = await feed.poll()
        assert page.events == ()
        assert page.cursor.read_to == NOON


async def test_the_next_poll_overlaps_the_last_one_by_an_hour() -> None:
    async with updates() as feed:
        await feed.poll()
        feed.clock.advance(300)
        await feed.poll()
        assert feed.asked()[-1] == (ago(hours=1), NOON + timedelta(minutes=5))


async def test_the_overlap_never_reaches_behind_the_first_start() -> None:
    async with updates(since="10m") as feed:
        await feed.poll()
        feed.clock.advance(300)
        await feed.poll()
        assert feed.asked()[-1][0] == ago(minutes=10)


async def test_the_day_before_the_last_reread_is_read_again_once_an_hour() -> None:
    async with updates(since="3d") as feed:
        await feed.poll()
        starts = []
        for _ in range(14):
            feed.clock.advance(300)
            await feed.poll()
            start, end = feed.asked()[-1]
            starts.append(end - start)
        assert [hours for hours in starts if hours > timedelta(hours=2)] == [timedelta(hours=25)]


async def test_what_came_late_when_an_outage_began_is_found_after_it() -> None:
    async with updates(since="3d") as feed:
        await feed.poll()
        feed.series = {1: ago(hours=20), 2: NOON + timedelta(days=3)}
        feed.clock.advance(3 * 86400)
        assert [item.split(":")[2] for item in await feed.ids()] == ["1", "2"]


async def test_a_reread_that_is_broken_off_is_begun_again() -> None:
    async with updates(since="3d") as feed:
        await feed.poll()
        feed.series = {number: ago(hours=2, seconds=number) for number in range(700)}
        feed.clock.advance(3 * 86400)
        async for page in feed.provider.feeds[0].poll(feed.cursor):
            feed.cursor, told = page.cursor, {event.subject for event in page.events}
            break
        assert len(told) == 500
        told |= {event.subject for page in await feed.poll() for event in page.events}
        assert len(told) == 700


@pytest.mark.parametrize("body", NOT_ITS_OWN)
async def test_a_gateways_404_is_no_quiet_time(body: bytes) -> None:
    async with updates() as feed:
        await feed.poll()
        read_to = feed.cursor and feed.cursor.read_to
        feed.clock.advance(3 * 86400)
        feed.served.answers["/updated/query"] = lambda request: web.Response(status=404, body=body)
        with pytest.raises(NotItsOwn):
            await feed.poll()
        assert feed.cursor is not None
        assert feed.cursor.read_to == read_to


async def test_a_day_without_an_update_counts_only_when_another_route_answers() -> None:
    async with updates() as feed:
        await feed.poll()
        feed.clock.advance(2 * 86400)
        feed.served.answers["/languages"] = 503
        with pytest.raises(ProviderUnavailable):
            await feed.poll()
        feed.served.answers["/languages"] = {"data": [{"id": 7, "abbreviation": "en"}]}
        assert await feed.ids() == []
        assert feed.cursor is not None
        assert feed.cursor.read_to >= NOON + timedelta(days=2)


async def test_an_outage_of_weeks_is_walked_in_windows_of_one() -> None:
    async with updates() as feed:
        await feed.poll()
        feed.series = {day: NOON + timedelta(days=day) for day in range(1, 25)}
        feed.clock.advance(25 * 86400)
        events = dict.fromkeys(item for item in await feed.ids() if "gap" not in item)  # windows share a second
        assert [item.split(":")[2] for item in events] == [str(day) for day in range(1, 25)]
        assert max(end - start for start, end in feed.asked()) == WINDOW
        assert feed.cursor is not None
        assert feed.cursor.read_to == NOON + timedelta(days=25)


async def test_a_week_in_which_no_series_changed_is_a_gap() -> None:
    async with updates() as feed:
        await feed.poll()
        feed.series = {1: NOON + timedelta(days=9)}
        feed.clock.advance(10 * 86400)
        events = [event for page in await feed.poll() for event in page.events]
        assert [event.subject for event in events] == ["tvdb:feed:updated", "tvdb:series:1"]
        assert events[0].data.changes[0].key == "gap"
        assert events[0].data.changes[0].after["from"] == "2031-03-05T12:00:00Z"


async def test_a_full_week_of_updates_is_written_in_pages_whose_cursors_lose_nothing() -> None:
    async with updates() as feed:
        feed.series = {number: ago(seconds=number) for number in range(1, 1300)}
        pages = await feed.poll()
        assert [len(page.events) for page in pages] == [500, 500, 299]
        for page in pages[:-1]:
            assert page.cursor.read_to <= page.events[-1].time
        assert [page.cursor.read_to for page in pages] == sorted(page.cursor.read_to for page in pages)


async def test_a_window_that_fails_leaves_the_ones_before_it_read() -> None:
    async with updates() as feed:
        await feed.poll()
        feed.clock.advance(10 * 86400)
        served, answer = feed.served, feed.served.answers["/updated/query"]
        calls = iter(range(99))  # the first is for what is newest
        served.answers["/updated/query"] = lambda request: answer(request) if next(calls) < 2 else json_answer("no list")
        with pytest.raises(BadResponse):
            await feed.poll()
        assert feed.cursor is not None
        assert feed.cursor.read_to == ago(hours=24) + WINDOW


async def test_our_clock_may_be_ahead_of_the_providers() -> None:
    async with updates() as feed:
        date = "Wed, 05 Mar 2031 11:58:00 GMT"
        feed.served.answers["/updated/query"] = lambda _: json_answer({"data": []}, Date=date)
        (page,) = await feed.poll()
        assert page.cursor.read_to == ago(minutes=2)


async def test_a_provider_that_is_away_may_work_later() -> None:
    async with updates() as feed:
        feed.served.answers["/updated/query"] = 503
        with pytest.raises(ProviderUnavailable):
            await feed.poll()


async def test_an_item_that_can_not_be_read_comes_with_the_page() -> None:
    async with updates() as feed:
        items = [{"id": None, "lastUpdated": 1930000000}, {"id": 3, "lastUpdated": int(ago(minutes=9).timestamp())}]
        feed.served.answers["/updated/query"] = {"data": items}
        (page,) = await feed.poll()
        assert [event.subject for event in page.events] == ["tvdb:series:3"]
        assert [item.reason for item in page.broken] == ["no-entity-id"]


@given(since=st.integers(-(10**7), 10**7), until=st.integers(0, 10**7))
def test_windows_cover_the_time_without_a_hole_and_none_is_longer_than_a_week(since: int, until: int) -> None:
    start, end = (NOON + timedelta(seconds=number) for number in (since, until))
    walked = list(windows(start, end))
    assert walked[0][0] == min(start, end)
    assert walked[-1][1] == end
    assert all(timedelta(0) <= stop - begin <= WINDOW for begin, stop in walked)
    assert all(later[0] < earlier[1] for earlier, later in pairwise(walked))


@pytest.mark.long
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    edits=st.lists(
        st.tuples(st.integers(1, 5), st.integers(0, 20 * 3600), st.sampled_from([0, 60, 3000, 9 * 3600])), max_size=25
    ),
    trouble=st.lists(st.sampled_from(["none", "away", "kill", "outage"]), max_size=30),
)
def test_the_last_state_of_each_series_is_found_whatever_happens(edits: list[tuple[int, int, int]], trouble: list[str]) -> None:
    found, last = asyncio.run(_read(edits, trouble))
    assert last <= found


async def _read(edits: list[tuple[int, int, int]], trouble: list[str]) -> tuple[set[str], set[str]]:
    """A day and a half of polls: what was found, and what the catalogue holds at the end. An edit shows as late as it says."""
    found: set[str] = set()
    last: dict[int, datetime] = {}
    async with updates(interval="30m", since="1h") as feed:
        waiting = sorted(edits, key=lambda edit: edit[1] + edit[2])
        step = 0
        while (elapsed := (feed.clock.now() - NOON).total_seconds()) < 40 * 3600:
            while waiting and waiting[0][1] + waiting[0][2] <= elapsed:
                number, at, _ = waiting.pop(0)
                last[number] = max(last.get(number, NOON), NOON + timedelta(seconds=at))
            feed.series = dict(last)
            now = trouble[step] if step < len(trouble) else "none"
            await _poll(feed, found, now)
            feed.clock.advance(6 * 3600 if now == "outage" else 1800)
            step += 1
    return found, {f"tvdb:series:{number}:{int(at.timestamp())}" for number, at in last.items()}


async def _poll(feed: Updates, found: set[str], trouble: str) -> None:
    answer = feed.served.answers["/updated/query"]
    if trouble == "away":
        feed.served.answers["/updated/query"] = 500
    try:
        async for page in feed.provider.feeds[0].poll(feed.cursor):
            found.update(event.id for event in page.events)
            feed.cursor = Cursor.model_validate_json(page.cursor.to_json())
            if trouble == "kill":
                break
    except ProviderError:
        pass
    feed.served.answers["/updated/query"] = answer

"""The changelog feed where pages are broken or gone, the key is refused, or the provider was away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiohttp import web

from runtime.http import BadResponse, CredentialsRejected, NotItsOwn, ProviderUnavailable
from tests.producers.answering import NOT_ITS_OWN, json_answer
from tests.producers.pbs.changelog import NOON, ago, entry, reader


async def test_a_page_that_is_gone_when_it_is_asked_for_is_the_end_of_the_list() -> None:
    async with reader() as feed:
        feed.changelog.largest = 1
        feed.changelog.entries = [entry(ago(minutes=20), "a1"), entry(ago(minutes=10), "a2")]
        polled = feed.provider.feeds[0].poll(None)
        assert (await anext(polled)).events == ()
        first = await anext(polled)
        feed.changelog.entries.pop()
        rest = [page async for page in polled]
        assert [len(page.events) for page in [first, *rest]] == [1, 0]


def html() -> web.Response:
    return web.Response(text="<html>sorry</html>", content_type="text/html")


def passes() -> web.Response:
    """In a list of faults: this request is answered as it should be."""
    return web.Response(status=299)


@pytest.mark.parametrize("body", NOT_ITS_OWN)
@pytest.mark.parametrize("status", [403, 404])
async def test_a_gateways_refusal_is_neither_the_end_of_the_list_nor_a_wrong_key(status: int, body: bytes) -> None:
    async with reader(since="30m", interval="1h") as feed:
        feed.changelog.largest = 1
        feed.changelog.entries = [entry(ago(minutes=20), "a1"), entry(ago(minutes=10), "a2")]
        feed.changelog.faults = [passes(), web.Response(status=status, body=body)]
        with pytest.raises(NotItsOwn):
            await feed.poll()
        assert [item.split(":")[2] for item in await feed.ids()] == ["a1", "a2"]


async def test_an_empty_page_that_counts_entries_is_trouble() -> None:
    async with reader(since="30m") as feed:
        feed.changelog.entries = [entry(ago(minutes=20), "a1")]
        feed.changelog.faults = [json_answer({"data": [], "links": {}, "meta": {"pagination": {"count": 1}}})]
        with pytest.raises(ProviderUnavailable, match="empty page"):
            await feed.poll()
        assert len(await feed.ids()) == 1


async def test_what_was_read_before_a_page_that_is_no_json_stays_read() -> None:
    async with reader(since="30m", interval="1h") as feed:
        feed.changelog.largest = 1
        feed.changelog.entries = [entry(ago(minutes=20), "a1"), entry(ago(minutes=10), "a2")]
        feed.changelog.faults = [passes(), html(), html(), html()]
        with pytest.raises(BadResponse, match="not JSON") as raised:
            await feed.poll()
        assert raised.value.body == b"<html>sorry</html>"
        assert feed.cursor is not None
        assert feed.cursor.read_to == ago(minutes=20)
        assert [item.split(":")[2] for item in await feed.ids()] == ["a1", "a2"]


async def test_a_page_that_can_be_read_the_second_time_is_read() -> None:
    async with reader(since="30m") as feed:
        feed.changelog.entries = [entry(ago(minutes=20), "a1")]
        feed.changelog.faults = [html()]
        assert len(await feed.ids()) == 1


async def test_a_page_that_can_not_be_read_does_not_hold_up_the_ones_behind_it_and_is_made_up_for_by_the_reread() -> None:
    async with reader(since="30m", interval="1h") as feed:
        feed.changelog.largest = 1
        feed.changelog.entries = [entry(ago(minutes=20 - n), f"a{n}") for n in range(4)]
        feed.changelog.faults = [passes(), html(), html()]
        pages = await feed.poll()
        assert [event.subject for page in pages for event in page.events] == ["pbs:asset:a0", "pbs:asset:a2", "pbs:asset:a3"]
        assert [(item.reason, item.body) for page in pages for item in page.broken] == [("bad-page", b"<html>sorry</html>")]
        feed.clock.advance(3600)
        assert any("a1" in item for item in await feed.ids())


async def test_a_last_page_that_can_not_be_read_is_asked_for_by_the_next_poll() -> None:
    async with reader(since="30m", interval="1h") as feed:
        feed.changelog.largest = 1
        feed.changelog.entries = [entry(ago(minutes=20), "a1"), entry(ago(minutes=10), "a2")]
        feed.changelog.faults = [passes(), html(), html()]
        with pytest.raises(BadResponse):
            await feed.poll()
        assert any("a2" in item for item in await feed.ids())


@pytest.mark.parametrize("body", [{"data": None}, {"detail": "?"}, [], {"data": {"id": 1}}])
async def test_a_page_without_a_list_is_a_bad_response(body: object) -> None:
    async with reader(since="30m") as feed:
        feed.changelog.faults = [json_answer(body) for _ in range(3)]
        with pytest.raises(BadResponse, match="no list"):
            await feed.poll()


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_not_accepted_is_told_as_such(status: int) -> None:
    async with reader(since="30m") as feed:
        feed.changelog.faults = [json_answer({"detail": "Invalid username/password."}, status)]
        with pytest.raises(CredentialsRejected):
            await feed.poll()


async def test_a_busy_provider_is_asked_again_and_then_told_to_be_away() -> None:
    async with reader(since="30m") as feed:
        feed.changelog.entries = [entry(ago(minutes=20), "a1")]
        feed.changelog.faults = [json_answer({}, 502), json_answer({}, 429)]
        assert len(await feed.ids()) == 1
        feed.changelog.faults = [json_answer({}, 503) for _ in range(9)]
        with pytest.raises(ProviderUnavailable):
            await feed.poll()


async def test_what_the_changelog_let_go_of_during_an_outage_is_a_gap_that_is_told_once() -> None:
    async with reader() as feed:
        feed.changelog.entries = [entry(ago(minutes=20), "a1")]
        await feed.poll()
        feed.clock.advance(21 * 86400)
        feed.changelog.entries = [entry(NOON + timedelta(days=2), "b1"), entry(NOON + timedelta(days=20), "b2")]
        events = [event for page in await feed.poll() for event in page.events]
        gap, *rest = events
        assert gap.subject == "pbs:feed:changelog"
        (change,) = gap.data.changes
        assert change.key == "gap"
        assert change.after["from"] == "2031-03-05T12:00:00Z"
        assert change.after["to"] == "2031-03-07T12:00:00Z"
        assert {event.subject for event in rest} == {"pbs:asset:b1", "pbs:asset:b2"}
        assert not any("gap" in item for item in await feed.ids())


async def test_an_outage_that_the_changelog_still_covers_is_no_gap() -> None:
    async with reader() as feed:
        feed.changelog.entries = [entry(ago(minutes=20), "a1")]
        await feed.poll()
        feed.clock.advance(3 * 86400)
        feed.changelog.entries.append(entry(NOON + timedelta(days=2), "b1"))
        assert {item.split(":")[2] for item in await feed.ids()} == {"a1", "b1"}

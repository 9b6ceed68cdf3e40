"""Random histories of edits, read through shifting pages, faults and restarts: each edit is found, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.http import ProviderError
from tests.producers.answering import json_answer
from tests.producers.pbs.changelog import NOON, Reader, entry, reader


@dataclass(frozen=True)
class Edit:
    """An edit made `at` seconds after the start that shows in the changelog `late` seconds later."""

    at: float
    late: float
    cid: str


edits = st.builds(
    Edit,
    at=st.floats(0, 1800).map(lambda seconds: round(seconds, 3)),
    # most show at once, some within the overlap, some only in time for the re-read
    late=st.sampled_from([0.0, 0.0, 0.0, 1.0, 280.0, 3000.0]),
    cid=st.sampled_from(["a1", "a2", "a3", "a4", "a5"]),
)


troubles = st.lists(st.sampled_from(["none", "fault", "garbage", "kill", "restart"]), max_size=30)


@pytest.mark.long
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    history=st.lists(edits, max_size=25, unique=True),
    page_size=st.integers(1, 6),
    inclusive=st.booleans(),
    trouble=troubles,
)
def test_each_edit_is_found_whatever_happens(history: list[Edit], page_size: int, inclusive: bool, trouble: list[str]) -> None:
    found = asyncio.run(_read(history, page_size, inclusive, trouble))
    assert set(found) == {_told(edit) for edit in history}


@pytest.mark.long
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    history=st.lists(edits, min_size=10, max_size=60, unique=True),
    page_size=st.integers(1, 6),
    inclusive=st.booleans(),
    trouble=troubles,
    outage=st.sampled_from([12, 20, 27]),
)
def test_after_an_outage_each_edit_is_found_and_each_entitys_in_their_order(
    history: list[Edit], page_size: int, inclusive: bool, trouble: list[str], outage: int
) -> None:
    """With pages of a few entries and three seconds a page, the walk lasts for some intervals, while edits are still being made."""
    # a page passed over has its entries told when the re-read finds them: that is no order, and tested above
    trouble = [what for what in trouble if what != "garbage"]
    found = asyncio.run(_read(history, page_size, inclusive, trouble, outage))
    assert set(found) == {_told(edit) for edit in history}
    for cid in {edit.cid for edit in history}:
        made = sorted((edit for edit in history if edit.cid == cid and edit.late == 0), key=lambda edit: edit.at)
        assert sorted((_told(edit) for edit in made), key=list(found).index) == [_told(edit) for edit in made]


def _told(edit: Edit) -> str:
    return f"{edit.cid}:{(NOON + timedelta(seconds=edit.at)).strftime('%H:%M:%S.%f')}"


async def _read(history: list[Edit], page_size: int, inclusive: bool, trouble: list[str], outage: int = 0) -> dict[str, None]:
    """What two and a half hours of polling every minute find, as entity and time, as it comes out of dedupe. An outage begins after
    the first minute and lasts for so many."""
    found: dict[str, None] = {}
    async with reader(since="10m", interval="60s") as feed:
        feed.changelog.largest = page_size
        feed.changelog.inclusive = inclusive
        waiting = sorted(history, key=lambda edit: edit.at + edit.late)

        def show() -> None:
            """Let in what is due: also between two pages of a poll, which shifts what stands on those behind."""
            now = (feed.clock.now() - NOON).total_seconds()
            while waiting and waiting[0].at + waiting[0].late <= now:
                edit = waiting.pop(0)
                feed.changelog.entries.append(entry(NOON + timedelta(seconds=edit.at), edit.cid))

        for minute in range(150):
            show()
            if not 0 < minute <= outage:
                await _poll(feed, found, trouble[minute - outage] if 0 <= minute - outage < len(trouble) else "none", show)
            feed.clock.advance(max(0.0, 60 * (minute + 1) - (feed.clock.now() - NOON).total_seconds()))
    return found


async def _poll(feed: Reader, found: dict[str, None], trouble: str, show: Callable[[], None]) -> None:
    """One poll, in which a page takes three seconds. A fault breaks its second page, garbage makes it unreadable, a kill ends the
    poll after a page, a restart leaves nothing but the cursor."""
    if trouble == "fault":
        feed.changelog.faults = [web.Response(status=299), *(json_answer({}, 500) for _ in range(4))]
    if trouble == "garbage":
        feed.changelog.faults = [web.Response(status=299), *(web.Response(text="<html>") for _ in range(2))]
    if trouble == "restart":
        await feed.restart()
    try:
        async for page in feed.provider.feeds[0].poll(feed.cursor):
            for event in page.events:
                if event.data.entity.type == "asset":
                    found[f"{event.data.entity.id}:{event.time.strftime('%H:%M:%S.%f')}"] = None
            feed.cursor = page.cursor
            feed.clock.advance(3)
            show()
            if trouble == "kill" and page.events:
                break
    except ProviderError:
        pass
    feed.changelog.faults.clear()

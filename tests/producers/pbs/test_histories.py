"""Random histories of edits, read through shifting pages, faults and restarts: each edit is found, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.http import ProviderError
from schemas.cursor import Cursor
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
    cid=st.sampled_from(["a1", "a2", "a3"]),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    history=st.lists(edits, max_size=25, unique=True),
    page_size=st.integers(1, 6),
    inclusive=st.booleans(),
    trouble=st.lists(st.sampled_from(["none", "fault", "garbage", "kill", "restart"]), max_size=30),
)
def test_each_edit_is_found_whatever_happens(history: list[Edit], page_size: int, inclusive: bool, trouble: list[str]) -> None:
    found = asyncio.run(_read(history, page_size, inclusive, trouble))
    written = {f"{edit.cid}:{(NOON + timedelta(seconds=edit.at)).strftime('%H:%M:%S.%f')}" for edit in history}
    assert found == written


async def _read(history: list[Edit], page_size: int, inclusive: bool, trouble: list[str]) -> set[str]:
    """What two and a half hours of polling every minute find, as entity and time."""
    found: set[str] = set()
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
            await _poll(feed, found, trouble[minute] if minute < len(trouble) else "none", show)
            feed.clock.advance(max(0.0, 60 * (minute + 1) - (feed.clock.now() - NOON).total_seconds()))
    return found


async def _poll(feed: Reader, found: set[str], trouble: str, show: Callable[[], None]) -> None:
    """One poll, in which a page takes three seconds. A fault breaks its second page, garbage makes it unreadable, a kill ends the
    poll after a page, a restart writes the cursor out and reads it back."""
    if trouble == "fault":
        feed.changelog.faults = [web.Response(status=299), *(json_answer({}, 500) for _ in range(4))]
    if trouble == "garbage":
        feed.changelog.faults = [web.Response(status=299), *(web.Response(text="<html>") for _ in range(2))]
    if trouble == "restart" and feed.cursor is not None:
        feed.cursor = Cursor.model_validate_json(feed.cursor.to_json())
    try:
        async for page in feed.provider.feeds[0].poll(feed.cursor):
            for event in page.events:
                if event.data.entity.type == "asset":
                    found.add(f"{event.data.entity.id}:{event.time.strftime('%H:%M:%S.%f')}")
            feed.cursor = page.cursor
            feed.clock.advance(3)
            show()
            if trouble == "kill" and page.events:
                break
    except ProviderError:
        pass
    feed.changelog.faults.clear()

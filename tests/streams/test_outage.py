"""What dedupe remembers over an outage: marks grow old by how far the feed has been read, whatever else comes meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from producers.resync import resync_event
from streams import sweep
from tests.streams.memory import BEGINNING, MemoryProvider, observed
from tests.streams.partition import Partition, changes


@pytest.fixture(autouse=True)
def swept_in_each_cycle(monkeypatch):
    monkeypatch.setattr(sweep, "EVERY_S", 0.0)


def at_hour(hour, *, out_of_turn=False):
    """An event of the feed, so many hours after the beginning, observed five days after it."""
    event = observed(f"m{hour}", int(hour * 3600))
    seen = {"observed_at": BEGINNING + timedelta(days=5), "out_of_turn": out_of_turn}
    return event.model_copy(update={"data": event.data.model_copy(update=seen)})


async def swept_feed(partition, *events):
    """One cycle, in which the marks that have grown too old are swept."""
    return [change.id for change in changes(await partition.feed(*events))]


async def test_what_is_read_ahead_after_an_outage_does_not_make_dedupe_forget_what_the_walk_reads_again():
    partition = Partition(MemoryProvider(), window=timedelta(hours=48))
    before = [at_hour(hour) for hour in range(-24, 1)]
    assert len(await swept_feed(partition, *before)) == len(before)
    # three days later: the newest first, then the re-read of the day before the outage
    newest = at_hour(72, out_of_turn=True)
    assert await swept_feed(partition, newest) == [newest.id]
    assert await swept_feed(partition) == []
    for event in before:
        assert await swept_feed(partition, event) == []


async def test_what_was_read_ahead_is_remembered_until_the_walk_has_met_it_and_the_window_after_that():
    partition = Partition(MemoryProvider(), window=timedelta(hours=48))
    await swept_feed(partition, at_hour(0))
    newest = [at_hour(72 + hour, out_of_turn=True) for hour in (0, 1)]
    await swept_feed(partition, *newest)
    for hour in range(1, 72):
        walked = at_hour(hour)
        assert await swept_feed(partition, walked) == [walked.id]
    assert await swept_feed(partition, at_hour(72), at_hour(73)) == [], "the walk is there"
    assert await swept_feed(partition, at_hour(72 + 48)) == [at_hour(72 + 48).id]
    assert await swept_feed(partition, at_hour(72), at_hour(73)) == [], "a re-read within the window"


async def test_a_resync_during_an_outage_does_not_make_dedupe_forget():
    partition = Partition(MemoryProvider(), window=timedelta(hours=48))
    await swept_feed(partition, at_hour(0))
    asked = resync_event("tmdb", at_hour(0).data.entity, BEGINNING + timedelta(days=4))
    assert await swept_feed(partition, asked) == [asked.id]
    assert await swept_feed(partition, at_hour(0)) == []


async def test_what_a_backfill_brings_is_remembered_over_a_rebalance():
    window = timedelta(hours=48)
    partition = Partition(MemoryProvider(), window=window)
    await swept_feed(partition, at_hour(100))
    again = partition.restarted(MemoryProvider(), window=window)
    backfilled = at_hour(0, out_of_turn=True)
    assert await swept_feed(again, backfilled) == [backfilled.id]
    assert await swept_feed(again, at_hour(101)) == [at_hour(101).id]
    assert await swept_feed(again, at_hour(0)) == [], "inside the window"


async def test_an_event_that_waits_has_been_seen_however_long_it_waits(tmp_path):
    provider = MemoryProvider(stuck=tmp_path / "stuck")
    provider.stuck.write_text("m0")
    partition = Partition(provider, window=timedelta(hours=48), budget=0.1)
    assert await swept_feed(partition, at_hour(0)) == []
    for hour in (100, 101):
        assert len(await swept_feed(partition, at_hour(hour))) == 1
        assert await swept_feed(partition, at_hour(0)) == []
    provider.stuck.unlink()
    published = []
    async with asyncio.timeout(10):
        while not published:
            await asyncio.sleep(0.01)
            published = await swept_feed(partition)
    assert published == [at_hour(0).id]
    assert await swept_feed(partition) == []

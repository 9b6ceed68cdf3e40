"""A provider whose clock and ours differ by a minute: nothing is missed, also around midnight, where TMDB's days end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from changecast.sandbox import Limits, Sandbox
from runtime.clock import ManualClock
from tests.producers.test_histories import NOON, RATE, STANDS, World
from tests.producers.worlds import PROVIDERS

MINUTE_S = 60
AHEAD_S = {"ours is behind": MINUTE_S, "ours is ahead": -MINUTE_S}
BEFORE_MIDNIGHT_S = 12 * 3600 - 8 * MINUTE_S
POLLS = 20


@pytest.mark.parametrize("skew", AHEAD_S)
@pytest.mark.parametrize("name", PROVIDERS)
async def test_each_edit_is_told_although_the_clocks_differ_by_a_minute(name, skew):
    ahead, clock = AHEAD_S[skew], ManualClock(NOON)
    limits = Limits(tmdb_per_second=RATE)
    async with Sandbox(clock=lambda: clock.now().timestamp() + ahead, monotonic=clock.monotonic, limits=limits) as sandbox:
        world = World(name, sandbox, clock)
        try:
            await world.poll()
            clock.advance(BEFORE_MIDNIGHT_S)
            stood: set[str] = set()
            for _ in range(POLLS):
                world.edit(late_s=-ahead)
                stood |= STANDS[name](world)
                await world.poll()
                clock.advance(MINUTE_S)
            clock.advance(15 * MINUTE_S)
            await world.settle()
            read_to = [world.log.cursor(feed.name).read_to for feed in world.provider.feeds]
        finally:
            await world.provider.aclose()
    assert STANDS[name](world) <= set(world.published())
    assert len(stood) >= POLLS / 2
    if name != "tmdb":
        # by the provider's clock, which alone says what it has told
        assert max(read_to) <= clock.now() + timedelta(seconds=ahead + 1)

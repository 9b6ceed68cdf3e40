from __future__ import annotations

import asyncio

import pytest

from producers.tmdb.cache import Cache
from runtime.clock import ManualClock


async def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    cache: Cache[str, int] = Cache(60, 10, ManualClock())
    fetched = 0
    go = asyncio.Event()

    async def fetch() -> int:
        nonlocal fetched
        fetched += 1
        await go.wait()
        return 7

    asking = [asyncio.create_task(cache.get("a", fetch)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    go.set()
    assert await asyncio.gather(*asking[1:]) == [7] * 4
    assert fetched <= 2


async def test_a_value_is_fetched_again_when_its_time_is_over() -> None:
    clock = ManualClock()
    cache: Cache[str, int] = Cache(60, 10, clock)
    values = iter(range(10))

    async def fetch() -> int:
        return next(values)

    assert [await cache.get("a", fetch), await cache.get("a", fetch)] == [0, 0]
    clock.advance(60)
    assert await cache.get("a", fetch) == 1


async def test_the_oldest_goes_when_there_are_too_many() -> None:
    cache: Cache[int, int] = Cache(60, 3, ManualClock())
    for key in range(10):

        async def fetch(value: int = key) -> int:
            return value

        await cache.get(key, fetch)
    assert [cache.kept(key) for key in (6, 7, 8, 9)] == [None, 7, 8, 9]


async def test_what_fails_is_not_kept() -> None:
    cache: Cache[str, int] = Cache(60, 3, ManualClock())

    async def fail() -> int:
        raise ValueError("away")

    async def fetch() -> int:
        return 1

    with pytest.raises(ValueError, match="away"):
        await cache.get("a", fail)
    assert await cache.get("a", fetch) == 1

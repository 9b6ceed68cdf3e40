from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.clock import ManualClock, SystemClock
from runtime.rate import RateLimit


async def _granted(limit: RateLimit, clock: ManualClock, number: int) -> list[float]:
    moments = []
    for _ in range(number):
        await limit.acquire()
        moments.append(clock.monotonic())
    return moments


def _most_within(moments: list[float], window: float) -> int:
    return max(sum(start <= moment < start + window for moment in moments) for start in moments)


@pytest.mark.parametrize(("rate", "most"), [(40, 40), (12.000000000000002, 12), (3.9999999999999991, 4), (2.5, 2), (1, 1)])
async def test_no_second_has_more_requests_than_the_rate(rate: float, most: int) -> None:
    clock = ManualClock()
    moments = await _granted(RateLimit(rate, clock), clock, 100)
    assert _most_within(moments, 1.0) == most


async def test_a_rate_below_one_is_one_request_in_so_many_seconds() -> None:
    clock = ManualClock()
    assert await _granted(RateLimit(0.25, clock), clock, 4) == pytest.approx([0, 4, 8, 12], abs=0.2)


async def test_the_budget_is_not_left_unused() -> None:
    clock = ManualClock()
    moments = await _granted(RateLimit(10, clock), clock, 101)
    assert moments[-1] <= 10 * 1.06


async def test_callers_go_in_the_order_in_which_they_asked() -> None:
    clock = ManualClock()
    limit = RateLimit(2, clock)
    order: list[int] = []

    async def ask(number: int) -> None:
        await limit.acquire()
        order.append(number)

    await asyncio.gather(*(ask(number) for number in range(30)))
    assert order == list(range(30))


async def test_one_that_gives_up_waiting_takes_nothing_and_stops_nobody() -> None:
    limit = RateLimit(1)
    await limit.acquire()
    waiting = [asyncio.create_task(limit.acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait_for(waiting[1], 5)
    assert waiting[0].cancelled()
    assert limit.spent == 2


async def test_nothing_is_sent_while_the_provider_asked_for_a_pause() -> None:
    clock = ManualClock()
    limit = RateLimit(10, clock)
    await limit.acquire()
    limit.pause(30)
    limit.pause(5)
    await limit.acquire()
    assert clock.monotonic() == 30


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from([0.5, 1, 3, 12, 40]), st.integers(1, 20)), min_size=1, max_size=8))
def test_a_rate_that_changes_keeps_every_second_within_the_highest_of_them(shares: list[tuple[float, int]]) -> None:
    async def run() -> None:
        clock = ManualClock()
        limit = RateLimit(shares[0][0], clock)
        moments = []
        for rate, number in shares:
            limit.set_rate(rate)
            moments += await _granted(limit, clock, number)
        assert _most_within(moments, 1.0) <= max(1, *(rate for rate, _ in shares))

    asyncio.run(run())


async def test_a_lower_rate_counts_what_was_sent_before_it() -> None:
    clock = ManualClock()
    limit = RateLimit(10, clock)
    await _granted(limit, clock, 10)
    limit.set_rate(2)
    await limit.acquire()
    assert clock.monotonic() >= 1


async def test_a_request_counts_from_when_it_was_answered_since_it_may_have_travelled_until_then() -> None:
    clock = ManualClock()
    limit = RateLimit(2, clock)
    await _granted(limit, clock, 2)
    clock.advance(0.6)
    limit.answered()
    limit.answered()
    await limit.acquire()
    assert clock.monotonic() == pytest.approx(1.6, abs=0.01)


async def test_a_provider_that_answers_slowly_still_gets_its_rate() -> None:
    clock = ManualClock()
    limit = RateLimit(10, clock)
    moments = await _granted(limit, clock, 100)
    for _ in range(100):
        limit.answered()
    assert moments[-1] <= 10 * 1.06


async def test_answers_that_nobody_waits_for_change_nothing() -> None:
    clock = ManualClock()
    limit = RateLimit(1, clock)
    for _ in range(5):
        limit.answered()
    assert (await _granted(limit, clock, 2))[1] >= 1


async def test_a_server_sees_no_more_than_the_rate_in_any_second_although_the_first_requests_travel_longer() -> None:
    """The first connections of a client are slow: without regard to that, the next second's requests overtake them."""
    arrived: list[float] = []
    clock = SystemClock()

    async def request(limit: RateLimit, delay: float) -> None:
        await limit.acquire()
        await asyncio.sleep(delay)
        arrived.append(clock.monotonic())
        limit.answered()

    limit = RateLimit(10)
    await asyncio.gather(*(request(limit, 0.4 if number < 10 else 0.01) for number in range(25)))
    assert _most_within(arrived, 1.0) <= 10


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        RateLimit(0)


async def test_it_counts_what_was_spent() -> None:
    clock = ManualClock()
    limit = RateLimit(5, clock)
    await _granted(limit, clock, 7)
    assert limit.spent == 7

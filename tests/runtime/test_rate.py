from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.clock import ManualClock, SystemClock
from runtime.pulse import STILL_S, Pulse
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


async def test_a_process_that_stood_still_sends_nothing_more_also_not_what_waited_for_its_turn() -> None:
    clock = ManualClock()
    limit = RateLimit(1, clock, pulse=Pulse(clock))
    await limit.acquire()
    waiting = asyncio.create_task(limit.acquire())
    clock.advance(STILL_S)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.05)
    waiting.cancel()


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
    async with limit.request(), limit.request():
        clock.advance(0.6)
    await limit.acquire()
    assert clock.monotonic() == pytest.approx(1.6, abs=0.01)


async def test_an_answer_lets_the_next_go_that_waits_for_it() -> None:
    limit = RateLimit(1)
    clock = SystemClock()
    async with limit.request():
        waiting = asyncio.create_task(limit.acquire())
        await clock.sleep(0.3)
    answered = clock.monotonic()
    await waiting
    assert clock.monotonic() - answered >= 1.0


async def test_a_request_without_an_answer_holds_its_place_for_a_second_more_and_no_longer() -> None:
    clock = ManualClock()
    limit = RateLimit(1, clock)
    async with limit.request():
        await limit.acquire()
        assert clock.monotonic() == pytest.approx(2.05)


async def test_a_request_that_is_broken_off_may_still_arrive() -> None:
    clock = ManualClock()
    limit = RateLimit(1, clock)
    with pytest.raises(ConnectionError):
        async with limit.request():
            raise ConnectionError
    await limit.acquire()
    assert clock.monotonic() == pytest.approx(2.0)


async def test_one_request_that_is_never_answered_does_not_slow_the_others() -> None:
    clock = ManualClock()
    limit = RateLimit(10, clock)
    async with limit.request():
        for _ in range(100):
            async with limit.request():
                pass
    assert clock.monotonic() <= 10 * 1.06 + 1


async def test_a_server_sees_no_more_than_the_rate_in_any_second_however_long_requests_travel() -> None:
    """The first connections of a client are slow, and a process may stand still: the next second's requests must not catch up."""
    arrived: list[float] = []
    clock = SystemClock()

    async def request(limit: RateLimit, delay: float) -> None:
        async with limit.request():
            await asyncio.sleep(delay)
            arrived.append(clock.monotonic())

    limit = RateLimit(10)
    delays = [0.4] * 10 + [1.3] * 10 + [0.01] * 15
    await asyncio.gather(*(request(limit, delay) for delay in delays))
    assert _most_within(arrived, 1.0) <= 10


def test_a_rate_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 requests/s or more"):
        RateLimit(-1)


async def test_with_a_rate_of_nothing_nothing_is_sent_until_there_is_a_share() -> None:
    clock = ManualClock()
    limit = RateLimit(0, clock)
    asking = asyncio.create_task(limit.acquire())
    await asyncio.sleep(0)
    assert limit.spent == 0
    limit.set_rate(3)
    await asyncio.wait_for(asking, 5)
    assert limit.spent == 1


@settings(max_examples=100)
@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=2, max_size=6), st.floats(0, 1.5))
def test_shares_that_move_between_workers_add_up_to_no_more_than_the_whole_in_any_second(
    divisions: list[list[int]], between: float
) -> None:
    """Three workers share four partitions' budget of 8/s; at each rebalance all are told, and each spends what it may."""

    async def run() -> None:
        clocks = [ManualClock() for _ in range(3)]
        limits = [RateLimit(0, clock) for clock in clocks]
        moments: list[float] = []
        at = 0.0
        for division in divisions:
            owned = [min(division[0], 4), 0, 0]
            owned[1] = min(division[1], 4 - owned[0])
            owned[2] = 4 - owned[0] - owned[1]
            at += between
            for limit, clock, partitions in zip(limits, clocks, owned, strict=True):
                clock.advance(max(at - clock.monotonic(), 0))
                limit.set_rate(2.1 * partitions)
                until = at + between
                while partitions and (await _soonest(limit, clock, until)):
                    moments.append(clock.monotonic())
        if moments:
            assert _most_within(moments, 1.0) <= 8

    asyncio.run(run())


async def _soonest(limit: RateLimit, clock: ManualClock, until: float) -> bool:
    """Whether one more may be sent before `until`; the clock then stands where it was sent."""
    before = limit.spent
    asking = asyncio.create_task(limit.acquire())
    while not asking.done():
        await asyncio.sleep(0)
        if clock.monotonic() >= until:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    return limit.spent > before and clock.monotonic() < until


async def test_it_counts_what_was_spent() -> None:
    clock = ManualClock()
    limit = RateLimit(5, clock)
    await _granted(limit, clock, 7)
    assert limit.spent == 7


def test_another_process_continues_with_what_has_arrived_or_still_may() -> None:
    clock = ManualClock()
    limit, other = RateLimit(2, clock), RateLimit(2, clock)
    limit.begin()
    limit.begin()
    limit.end()
    first, second = limit.arrivals()
    assert (first, second) == (pytest.approx(0, abs=0.01), pytest.approx(1.05))
    assert limit.travelling
    clock.advance(0.5)
    other.assume([first - 0.5, second - 0.5])
    assert other.wait() == pytest.approx(0.5, abs=0.01)
    other.assume_spent(clock.monotonic())
    assert other.wait() == 2.0
    clock.advance(0.6)
    assert not limit.travelling
    clock.advance(1)
    assert limit.arrivals() == []

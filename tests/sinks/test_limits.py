"""Which subscriptions share a limit, and what one limit does in one process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.clock import ManualClock, SystemClock
from sinks.lease_member import Predecessor
from sinks.limits import Limit, limits_of
from sinks.terms import Terms, terms_of
from tests.sinks.worlds import config_of, webhook

SLACK = "https://hooks.slack.com/services/T0/B0/verysecretpath"


def slack(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "slack": fields}


def test_only_what_the_config_limits_has_a_limit() -> None:
    config = config_of(
        webhook("free", "https://a.example/"),
        webhook("paced", "https://b.example/", rate=5),
        webhook("single", "https://c.example/", concurrency=1),
        webhook("eight", "https://d.example/", concurrency=8),
        slack("room", webhook_url=SLACK),
    )
    terms = {name: (one.rate, one.concurrency) for name, one in terms_of(config.subscriptions).items()}
    assert terms == {"paced": (5, None), "single": (None, 1), "eight": (None, 8), "room": (1, None)}


def test_subscriptions_of_one_address_share_one_limit_the_strictest_of_each_kind() -> None:
    config = config_of(
        webhook("a", "https://a.example/hook", rate=5, concurrency=4),
        webhook("b", "https://A.example/hook", rate=2),
        webhook("c", "https://a.example/hook"),
        webhook("other", "https://a.example/hook?x", rate=9),
        slack("s1", webhook_url=SLACK, rate=0.5),
        slack("s2", webhook_url=SLACK),
        slack("t1", token="xoxb-1", channel="#a"),
        slack("t2", token="xoxb-1", channel="#b"),
    )
    limits = limits_of(config, SystemClock(), lambda _: None)
    assert limits["a"] is limits["b"] is limits["c"]
    assert len({limits["a"], limits["other"], limits["s1"], limits["t1"], limits["t2"]}) == 5
    assert limits["s1"] is limits["s2"]
    terms = terms_of(config.subscriptions)
    assert (terms["c"].rate, terms["c"].concurrency) == (2, 4)
    assert terms["s2"].rate == 0.5


def test_a_key_tells_nothing_of_the_address() -> None:
    (terms,) = terms_of(config_of(slack("s", webhook_url=SLACK)).subscriptions).values()
    assert len(terms.key) == 32
    assert set(terms.key) <= set("0123456789abcdef")


async def test_attempts_of_two_endpoints_share_the_places_in_the_order_of_asking() -> None:
    limit, running, most, order = Limit(Terms("k", None, 1), SystemClock(), 15), 0, 0, []

    async def attempt(number: int) -> None:
        nonlocal running, most
        async with limit.attempt(lambda: True) as admitted:
            assert admitted
            order.append(number)
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    await asyncio.gather(*(attempt(number) for number in range(20)))
    assert (most, order) == (1, list(range(20)))


async def test_what_is_not_wanted_any_more_takes_nothing_of_the_rate() -> None:
    clock = ManualClock()
    limit = Limit(Terms("k", 1, None), clock, 15)
    async with limit.attempt(lambda: True):
        pass
    answers = iter([True, False])
    async with limit.attempt(lambda: next(answers)) as admitted:
        assert not admitted
    assert limit.sent == 1
    async with limit.attempt(lambda: True):
        assert clock.monotonic() == pytest.approx(1, abs=0.1)


async def test_a_request_within_an_attempt_counts_for_the_rate_and_needs_no_place_of_its_own() -> None:
    clock = ManualClock()
    limit = Limit(Terms("k", 1, 1), clock, 15)
    async with limit.attempt(lambda: True), limit.request():
        assert clock.monotonic() >= 1
    async with limit.attempt(lambda: True):
        assert clock.monotonic() >= 2


async def test_the_lease_is_kept_for_a_request_that_waits_within_an_attempt() -> None:
    limit = Limit(Terms("k", 0.5, None), SystemClock(), 15)

    async def attempt() -> None:
        async with limit.attempt(lambda: True), limit.request():
            pass

    under_way = asyncio.create_task(attempt())
    await asyncio.sleep(0)
    assert (limit.due(), limit.drained()) == (True, False)
    under_way.cancel()
    await asyncio.gather(under_way, return_exceptions=True)
    assert not limit.due()


@pytest.mark.parametrize("rate", [0.5, 1, 5, 1000])
async def test_the_next_holder_continues_with_the_usage_and_the_pause_of_the_last(rate: float) -> None:
    clock = ManualClock()
    first, second = (Limit(Terms("k", rate, None), clock, 15) for _ in range(2))
    while first.wait() <= 0:
        async with first.attempt(lambda: True):
            pass
    clock.advance(0.3)
    pacing = first.pacing()
    expected = first.wait()
    second.take_over(Predecessor("first", pacing, clock.monotonic(), clock.monotonic(), clock.monotonic()))
    assert expected <= second.wait() <= expected + 0.01
    first.pause(600)
    assert first.pacing().paused == 600_000
    third = Limit(Terms("k", rate, None), clock, 15)
    third.take_over(Predecessor("first", first.pacing(), clock.monotonic(), clock.monotonic() + 600, clock.monotonic()))
    assert third.wait() == pytest.approx(600)


async def test_after_an_eviction_a_rate_starts_with_a_full_window_and_a_concurrency_waits_for_the_last_attempt() -> None:
    clock = ManualClock()
    unknown = Predecessor("dead", None, clock.monotonic(), clock.monotonic(), clock.monotonic())
    paced, single = Limit(Terms("k", 5, None), clock, 15), Limit(Terms("k", None, 1), clock, 15)
    paced.take_over(unknown)
    single.take_over(unknown)
    assert (paced.wait(), single.wait()) == (pytest.approx(2), 15)


async def test_an_attempt_that_was_broken_off_still_has_its_place_at_the_receiver() -> None:
    clock = ManualClock()
    limit = Limit(Terms("k", None, 1), clock, 15)
    with pytest.raises(asyncio.CancelledError):
        async with limit.attempt(lambda: True):
            clock.advance(4)
            raise asyncio.CancelledError
    assert limit.wait() == 11
    assert limit.pacing().paused == 11_000

from __future__ import annotations

from sinks.breaker import Breaker, Limits, State

LIMITS = Limits(window=300, requests=10, failed=0.7, open_for=30)


def test_it_opens_when_of_ten_requests_seven_failed() -> None:
    breaker = Breaker(LIMITS)
    for failed in [False] * 3 + [True] * 6:
        breaker.record(failed, 1.0)
        assert breaker.state(1.0) is State.CLOSED
    breaker.record(True, 2.0)
    assert breaker.state(2.0) is State.OPEN
    assert breaker.wait(2.0) == 30
    assert not breaker.admits(0, 31.9)


def test_fewer_requests_never_open_it() -> None:
    breaker = Breaker(LIMITS)
    for _ in range(9):
        breaker.record(True, 1.0)
    assert breaker.admits(100, 1.0)


def test_failures_older_than_the_window_do_not_count() -> None:
    breaker = Breaker(LIMITS)
    for _ in range(9):
        breaker.record(True, 0.0)
    breaker.record(True, 311.0)
    assert breaker.state(311.0) is State.CLOSED


def opened() -> Breaker:
    breaker = Breaker(LIMITS)
    for _ in range(10):
        breaker.record(True, 0.0)
    return breaker


def test_after_its_time_one_probe_goes_out_alone() -> None:
    breaker = opened()
    assert breaker.state(30.0) is State.PROBING
    assert breaker.admits(0, 30.0)
    assert not breaker.admits(1, 30.0)


def test_a_probe_that_succeeds_closes_it_and_one_that_fails_opens_it_again() -> None:
    breaker = opened()
    assert breaker.admits(0, 30.0)
    breaker.record(True, 31.0)
    assert breaker.wait(31.0) == 30
    assert breaker.admits(0, 61.0)
    breaker.record(False, 62.0)
    assert breaker.state(62.0) is State.CLOSED
    assert breaker.admits(8, 62.0)


def test_memory_does_not_grow_with_requests() -> None:
    breaker = Breaker(LIMITS)
    for number in range(10_000):
        breaker.record(number % 2 == 0, number / 10)
    assert len(breaker._slices) <= LIMITS.slices + 1


def test_it_says_how_long_it_stays_open_and_nothing_else() -> None:
    breaker = opened()
    assert breaker.wait(0.0) == 30
    assert breaker.wait(29.5) == 0.5
    assert breaker.wait(30.0) == breaker.wait(1000.0) == 0
    assert Breaker(LIMITS).wait(0.0) == 0


def test_the_share_of_failures_counts_and_not_their_number() -> None:
    breaker = Breaker(LIMITS)
    for _ in range(10):
        for failed in (True, False):
            breaker.record(failed, 1.0)
    assert breaker.state(1.0) is State.CLOSED

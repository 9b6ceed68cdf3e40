"""When retries come back that had no room: as fast as their endpoint takes them, and no faster."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.lane import Pace, RetryLane
from tests.sinks.test_endpoint import delivery

WAITING = 125


def taking(each: float, count: int = 300) -> tuple[Pace, float]:
    """The pace of an endpoint that has taken so many, one every `each` seconds, and the time then."""
    pace, now = Pace(8), 1000.0
    pace.began(now)
    for _ in range(count):
        now += each
        pace.took(1, now)
    return pace, now


@pytest.mark.parametrize("each", [0.001, 0.01, 0.1])
def test_those_that_had_no_room_come_back_one_after_another_at_the_endpoints_pace(each: float) -> None:
    pace, now = taking(each)
    turns = [pace.turn(WAITING, now) or 0.0 for _ in range(1500)]
    soonest = max(WAITING * each, 0.5)
    assert turns == pytest.approx([min(soonest + number * each, 300) for number in range(1500)], rel=0.01)


def test_a_burst_of_answers_is_the_pace_of_all_in_it() -> None:
    pace, now = Pace(8), 1000.0
    pace.began(now)
    for _ in range(20):
        now += 2.0
        for _ in range(8):
            pace.took(1, now)
    first, second = pace.turn(WAITING, now), pace.turn(WAITING, now)
    assert first is not None
    assert second is not None
    assert 0.2 < second - first < 0.3


def test_who_takes_nothing_has_no_pace() -> None:
    pace, now = taking(0.01)
    assert pace.turn(WAITING, now + 4) is not None
    assert pace.turn(WAITING, now + 6) is None


def test_turns_begin_anew_once_nothing_waited() -> None:
    pace, now = taking(0.1)
    for _ in range(1500):
        pace.turn(WAITING, now)
    pace.began(now + 20)
    for _ in range(300):
        pace.took(1, now + 20)
    assert pace.turn(WAITING, now + 20) == pytest.approx(0.5)


@given(st.lists(st.tuples(st.floats(0, 600), st.integers(1, 100), st.integers(0, 300)), max_size=60))
def test_nobody_waits_for_longer_than_five_minutes_nor_less_than_half_a_second(steps: list[tuple[float, int, int]]) -> None:
    pace, now = Pace(8), 0.0
    pace.began(now)
    for seconds, count, refused in steps:
        now += seconds
        turns = [pace.turn(WAITING, now) for _ in range(refused)]
        assert all(turn is None or 0.5 <= turn + 1e-6 <= 300.001 for turn in turns)
        pace.took(count, now)


def test_what_is_taken_makes_room_by_its_bytes() -> None:
    lane, large = RetryLane(1000, 8), delivery(1)
    large.event = SimpleNamespace(value=bytes(1_500_000), slim=lambda: None)  # type: ignore[assignment]
    for _ in range(3):
        assert not lane.full
        lane.add(large, 0.0)
    assert lane.full
    assert lane.take(1, 0.0) == [large]
    assert not lane.full
    lane.add(large, 0.0)
    assert lane.full
    lane.keep(lambda _: False)
    assert (len(lane), lane.full) == (0, False)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import Delivery
from schemas.delivery import Outcome
from sinks.answer import Answer, Meaning
from sinks.parcel import Parcel, UnreadableParcel, read_parcel
from sinks.retry import RetryPolicy
from sinks.topics import DELAYS
from sinks.verdict import Verdict, judge

chances = st.floats(0, 1)


def test_the_default_schedule_makes_ten_attempts_over_75_hours() -> None:
    policy = RetryPolicy.of(Delivery())
    waits = [policy.wait(attempt, 0.0) for attempt in range(1, 11)]
    assert waits[:2] == [5, 300]
    assert waits[-1] is None
    assert sum(wait for wait in waits if wait) == pytest.approx(75.6 * 3600, rel=0.01)


@given(st.lists(st.floats(0, 1e5), max_size=8), chances)
def test_n_delays_make_n_plus_one_attempts(schedule: list[float], chance: float) -> None:
    policy = RetryPolicy(tuple(schedule))
    attempts = 1
    while policy.wait(attempts, chance) is not None:
        attempts += 1
    assert attempts == len(schedule) + 1 == policy.attempts


@given(st.floats(0.01, 1e5), chances, st.one_of(st.none(), st.floats(0, 1e9)))
def test_a_wait_is_never_shorter_than_planned_nor_than_asked_for_up_to_the_limit(
    step: float, chance: float, after: float | None
) -> None:
    wait = RetryPolicy((step,)).wait(1, chance, after)
    assert wait is not None
    assert wait >= step
    assert wait >= min(after or 0, 36000)
    assert wait <= max(step * 1.1, min(after or 0, 36000)) * 1.000001


def test_what_each_answer_means() -> None:
    policy = RetryPolicy((1.0,))
    assert judge(Answer(Meaning.DELIVERED, 1), 1, policy, 0) == Verdict(Outcome.DELIVERED)
    assert judge(Answer(Meaning.FAILED, 1), 1, policy, 0) == Verdict(Outcome.RETRY, 1.0)
    assert judge(Answer(Meaning.FAILED, 1), 1, policy, 1).wait == pytest.approx(1.1), "jitter is added"
    assert judge(Answer(Meaning.FAILED, 1, retry_after=60), 1, policy, 0).wait == 60
    # the reasons stand in the dead topic, for operators and their programs
    assert judge(Answer(Meaning.FAILED, 1), 2, policy, 0) == Verdict(Outcome.DEAD, reason="attempts-exhausted")
    assert judge(Answer(Meaning.REFUSED, 1), 1, policy, 0) == Verdict(Outcome.DEAD, reason="refused")
    assert judge(Answer(Meaning.GONE, 1), 1, policy, 0) == Verdict(Outcome.DISABLED, reason="endpoint-gone")


def parcel(due: float, deferrals: int = 0) -> Parcel:
    return Parcel("stills", b"{}", 2, due, "changecast.changes.tmdb", 3, 12345, deferrals)


@given(st.floats(0, 100_000))
def test_a_long_wait_hops_through_fixed_delays_and_is_never_early_or_late(wait: float) -> None:
    now, hops, waiting = 0.0, 0, parcel(wait)
    while waiting.due > now:
        delay, placed = waiting.placed(now)
        assert now < placed.ready <= waiting.due
        assert placed.ready - now <= dict(DELAYS)[delay]
        now, hops = placed.ready, hops + 1
    assert now == pytest.approx(wait)
    assert hops <= 40


def test_a_parcel_survives_its_topic() -> None:
    _, placed = parcel(1_700_000_000.125, 3).placed(1_699_999_000.0)
    assert read_parcel(placed.value, placed.headers()) == placed


def test_a_record_that_is_no_delivery_says_so() -> None:
    with pytest.raises(UnreadableParcel):
        read_parcel(b"{}", [])
    with pytest.raises(UnreadableParcel):
        read_parcel(b"{}", [(name, b"x") for name, _ in parcel(1).headers()])


@given(st.integers(0, 50), chances)
def test_what_has_no_room_waits_longer_each_time_up_to_five_minutes(deferrals: int, chance: float) -> None:
    later = parcel(0, deferrals).deferred(100.0, chance)
    assert 105.0 <= later.due <= 100 + 330
    assert later.due >= 100 + min(5 * 2 ** min(deferrals, 16), 300)
    assert (later.attempts, later.deferrals) == (2, deferrals + 1)

"""When failures disable an endpoint: enough attempts, far enough apart, for long enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.delivery import EndpointState
from sinks.outage import Outage, disables_at, outage_of

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)
HOUR, DAY, AFTER = timedelta(hours=1), timedelta(days=1), timedelta(days=5)


def after(*hours: float) -> Outage:
    """Attempts failed at noon and these hours after it."""
    outage = Outage(NOON, NOON)
    for hour in hours:
        outage = outage.failed_again(NOON + hour * HOUR, AFTER)
    return outage


def test_two_attempts_five_days_apart_are_no_five_days_of_failures() -> None:
    assert not after(5 * 24).ends(AFTER)
    assert after(5 * 24).counted == timedelta()


def test_the_days_count_from_the_third_attempt_twelve_hours_after_the_first() -> None:
    assert after(6, 11, 20).counted == timedelta()
    assert after(6, 12, 20).counted == 8 * HOUR
    assert after(1, 12).attempts == 3


def test_it_takes_five_days_from_there_and_ten_attempts() -> None:
    hours = [6, 12, *(12 + 24 * day for day in range(1, 6))]
    assert after(*hours).counted == AFTER
    assert not after(*hours).ends(AFTER)
    assert not after(*range(6, 132, 6)).ends(AFTER)
    assert after(*range(6, 138, 6)).ends(AFTER)


@given(st.lists(st.sampled_from([-10 * 24.0, 10 * 24.0, 1.0, 6.0]), max_size=12))
def test_a_clock_that_jumps_never_counts_for_more_than_the_gap_that_it_may_be(steps: list[float]) -> None:
    outage, now = Outage(NOON, NOON), NOON
    for step in steps:
        now += step * HOUR
        outage = outage.failed_again(now, AFTER)
    assert outage.counted <= 30 * HOUR * len(steps)
    assert outage.first <= outage.last


def test_a_clock_ten_days_ahead_and_back_disables_nothing() -> None:
    ahead = after(*range(6, 73, 6)).failed_again(NOON + 13 * DAY, AFTER, passed=6 * HOUR)
    assert ahead.counted == 66 * HOUR
    assert not ahead.ends(AFTER)
    back = ahead.failed_again(NOON + 3.5 * DAY, AFTER, passed=6 * HOUR)
    assert (back.first, back.attempts, back.counted) == (NOON + 3.5 * DAY, 1, timedelta())


def test_a_shorter_setting_has_a_shorter_spread() -> None:
    outage = Outage(NOON, NOON)
    for seconds in range(1, 12):
        outage = outage.failed_again(NOON + timedelta(seconds=seconds), timedelta(seconds=5))
    assert outage.ends(timedelta(seconds=5))


def test_a_state_carries_the_outage_in_a_header_that_older_workers_do_not_read() -> None:
    state = EndpointState(
        subscription="hook", since=NOON, failing_since=NOON, failed_attempts=7, last_failed_at=NOON + DAY, counted_s=3600.0
    )
    assert b"counted" not in state.to_json()
    read = EndpointState.read(state.to_json(), state.headers())
    assert outage_of(read) == Outage(NOON, NOON + DAY, 7, HOUR)
    assert disables_at(read, AFTER) == NOON + 6 * DAY - HOUR
    for header in (b"", b"{", b"[]", b'{"attempts": -1}', b"\xff"):
        plain = EndpointState.read(state.to_json(), [("changecast-outage", header)])
        assert outage_of(plain) == Outage(NOON, NOON, 1)

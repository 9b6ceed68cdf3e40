from __future__ import annotations

from datetime import UTC, datetime

from runtime.clock import ManualClock, SystemClock

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)


async def test_a_sleep_on_a_manual_clock_ends_at_once_and_moves_both_times_on() -> None:
    clock = ManualClock(NOON)
    await clock.sleep(90)
    assert clock.monotonic() == 90
    assert clock.now() == NOON.replace(minute=1, second=30)


async def test_a_sleep_into_the_past_moves_nothing() -> None:
    clock = ManualClock(NOON)
    await clock.sleep(-5)
    assert clock.now() == NOON


def test_the_system_clock_is_in_utc_and_its_durations_never_run_backwards() -> None:
    clock = SystemClock()
    first = clock.monotonic()
    assert clock.now().utcoffset() == UTC.utcoffset(None)
    assert clock.monotonic() >= first

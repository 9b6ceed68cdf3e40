from __future__ import annotations

import pytest

from streams.deadlimit import DeadCount, DeadLimit, TooManyDead


def counted(limit: DeadLimit, outcomes: str) -> DeadCount:
    count = DeadCount(limit)
    for outcome in outcomes:
        count.count_dead() if outcome == "x" else count.count_good()
    return count


def test_single_dead_events_do_not_stop_a_stream():
    counted(DeadLimit(ratio=0.01, events=100, consecutive=10), "x" + "." * 99).check()


def test_more_than_the_ratio_of_enough_events_stops_it():
    with pytest.raises(TooManyDead, match="2 of the last 100 events"):
        counted(DeadLimit(ratio=0.01, events=100, consecutive=10), "x" * 2 + "." * 98).check()


def test_a_stream_that_went_well_for_long_is_stopped_as_soon_as_any_other():
    with pytest.raises(TooManyDead, match="of the last"):
        counted(DeadLimit(ratio=0.01, events=100, consecutive=10), "." * 1_000_000 + "x......" * 20).check()


def test_a_row_of_dead_events_is_not_forgotten_for_a_good_one_behind_it():
    with pytest.raises(TooManyDead, match="10 events in a row"):
        counted(DeadLimit(ratio=1, events=100, consecutive=10), "x" * 10 + ".").check()


def test_too_few_events_tell_nothing_unless_all_in_a_row_are_dead():
    limit = DeadLimit(ratio=0.01, events=100, consecutive=10)
    counted(limit, "x" * 9 + "." + "x" * 9).check()
    with pytest.raises(TooManyDead, match="10 events in a row"):
        counted(limit, "x" * 10).check()


@pytest.mark.parametrize(
    ("good", "dead", "told"),
    [
        (989, 10, None),
        (990, 10, None),
        (988, 11, None),
        (989, 11, "11 of the last 1000 events"),
        (0, 999, None),
        (0, 1_000, "1000 events in a row"),
    ],
)
def test_a_stream_stops_at_more_than_one_percent_of_a_thousand_events_or_a_thousand_in_a_row(good, dead, told):
    count = counted(DeadLimit(), "." * good + "x" * dead)
    if told is None:
        count.check()
    else:
        with pytest.raises(TooManyDead, match=told):
            count.check()

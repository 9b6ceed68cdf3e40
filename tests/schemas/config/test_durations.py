from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("90s", 90), ("5m", 300), ("2h", 7200), ("14d", 1_209_600), ("1.5h", 5400), ("0s", 0)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", [5, 5.0, "5", "s", "-5s", "5 s s", "1h30m", "", None, True, [], "٣s", "99999999d", "1e3s"])
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@given(st.integers(min_value=0, max_value=3650 * 86_400_000))
def test_what_is_written_reads_back_the_same_and_is_short(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


def test_the_shortest_form_is_written() -> None:
    assert [format_duration(timedelta(seconds=seconds)) for seconds in (0, 0.25, 60, 90, 300, 7200, 86400)] == [
        *("0ms", "250ms", "1m", "90s", "5m", "2h", "1d")
    ]

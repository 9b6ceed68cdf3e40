"""A clock that is off is noticed by the `Date` of others, and said once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock_check import ClockCheck, offset_of, verdict

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def dated(moment: datetime, **more: str) -> dict[str, str]:
    return {"Date": format_datetime(moment, usegmt=True), **more}


def test_a_clock_that_is_off_is_said_once_and_which_way(caplog: pytest.LogCaptureFixture) -> None:
    check = ClockCheck()
    check.observe("a.example", dated(NOON - 4 * MINUTE), NOON)
    assert caplog.text == ""
    check.observe("a.example", dated(NOON - 10 * MINUTE), NOON)
    check.observe("b.example", dated(NOON - 10 * MINUTE), NOON)
    assert caplog.text.count("the clock of this machine is 10 minutes ahead of that of a.example") == 1
    assert len(caplog.records) == 1


def test_one_wrong_clock_among_several_is_somebody_elses() -> None:
    others = {"a": timedelta(), "b": MINUTE, "c": -3 * MINUTE}
    assert verdict({**others, "d": timedelta(days=10)}) is None
    assert "6 minutes behind that of most of the 3 hosts" in str(verdict({"a": -6 * MINUTE, "b": -6 * MINUTE, "c": timedelta()}))


def test_what_a_cache_has_kept_is_as_old_as_it_says() -> None:
    assert offset_of(dated(NOON - timedelta(hours=1), Age="3600"), NOON) == timedelta()


@given(st.dictionaries(st.sampled_from(["Date", "Age"]), st.text(max_size=30)))
def test_no_header_raises(headers: dict[str, str]) -> None:
    ClockCheck().observe("a", headers, NOON)

"""Dates and Retry-After of HTTP headers: what they mean, and that nothing in them does harm."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.http_dates import http_date, retry_after

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)

_ABSURD = (
    "Fri, 31 Dec 99999999999999999999 23:59:59 GMT",
    "Mon, 01 Jan 2147483648 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 -0500",
    "Tue, 21 Jan 2025 12:01:30 +9999",
    "Tue, 21 Jan 2025 12:01:30 -999999999999999999",
    "Tue, 21 Jan 2025 99:99:99 GMT",
    "Tue, 99 Jan 2025 12:00:00 GMT",
    "Tue, 21 Foo 2025 12:00:00 GMT",
    "Tue, 21 Jan 2025 12:00:60 GMT",
    "\x00, 21 Jan 2025",
    "-5",
    "1e999",
    "inf",
    "nan",
    "²",
    "١٢",
    "1_0",
    "soon",
    ",",
    "",
    " ",
)
_PARTS = st.sampled_from(
    [
        "Fri,",
        "31",
        "Dec",
        "Dec-31",
        "99999999999999999999",
        "2147483648",
        "9999",
        "23:59:59",
        "24.00",
        ":",
        "GMT",
        "-0500",
        "+9999",
        ",",
    ]
)


@pytest.fixture
def away_from_greenwich() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("Tue, 21 Jan 2025 12:01:30 GMT", 90.0),
        ("Tue, 21 Jan 2025 07:01:30 -0500", 90.0),
        ("Tuesday, 21-Jan-25 12:01:30 GMT", 90.0),
        ("Tue Jan 21 12:01:30 2025", 90.0),
        ("Tue, 21 Jan 2025 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 1e9),
        ("999999999", 999999999.0),
        ("9" * 5000, 1e9),
        (None, None),
        *((absurd, None) for absurd in _ABSURD),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOON) == seconds


@pytest.mark.usefixtures("away_from_greenwich")
def test_a_date_without_a_zone_is_gmt_wherever_this_runs() -> None:
    assert http_date("Tue, 21 Jan 2025 12:02:00") == NOON + timedelta(minutes=2)
    assert http_date("Tue, 21 Jan 2025 12:02:00 -0000") == NOON + timedelta(minutes=2)
    assert retry_after("Tue, 21 Jan 2025 12:02:00", NOON) == 120


@pytest.mark.parametrize("value", [*_ABSURD, None])
def test_a_date_that_is_none_is_none(value: str | None) -> None:
    assert http_date(value) is None


def _as_received(data: bytes) -> str:
    """As HTTP clients hand on a header's bytes."""
    return data.decode("utf-8", "surrogateescape")


@given(st.one_of(st.binary(max_size=60).map(_as_received), st.text(max_size=60), st.lists(_PARTS, max_size=8).map(" ".join)))
@example(_ABSURD[0])
def test_no_bytes_do_harm(value: str) -> None:
    moment, seconds = http_date(value), retry_after(value, NOON)
    assert moment is None or moment.utcoffset() == timedelta()
    assert seconds is None or 0 <= seconds <= 1e9

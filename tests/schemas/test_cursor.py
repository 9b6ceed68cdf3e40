from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cursor import Cursor, read_cursor
from schemas.feed_status import read_status


def test_fields_of_a_later_version_are_ignored() -> None:
    at = datetime(2025, 1, 21, tzinfo=UTC)
    cursor = Cursor(provider="tmdb", feed="movie", read_to=at, position={"begun": "2025"}, saved_at=at)
    assert Cursor.model_validate({**orjson.loads(cursor.to_json()), "more": 1}) == cursor


def _read_to(time: str) -> bytes:
    return orjson.dumps({"provider": "tmdb", "feed": "movie", "read_to": time, "saved_at": "2025-01-21T00:00:00Z"})


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff", b"[]", b'{"provider":"tmdb"}', _read_to("9999-12-31T23:59:59-14:00"), _read_to("0001-01-01T00:00:00+14:00")],
)
def test_a_malformed_cursor_is_unreadable(value):
    assert read_cursor(value) is None


@given(st.binary())
def test_reading_a_cursor_or_status_never_raises(value):
    assert read_cursor(value) is None
    assert read_status(b"tmdb:movie:status", value) is None

from __future__ import annotations

from datetime import UTC, datetime

import orjson

from schemas.cursor import Cursor


def test_fields_of_a_later_version_are_ignored() -> None:
    at = datetime(2025, 1, 21, tzinfo=UTC)
    cursor = Cursor(provider="tmdb", feed="movie", read_to=at, position={"begun": "2025"}, saved_at=at)
    assert Cursor.model_validate({**orjson.loads(cursor.to_json()), "more": 1}) == cursor

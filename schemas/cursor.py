"""A feed's cursor, as it stands in `changecast.cursors` under the key `<provider>:<feed>`."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.event import Timestamp


class Cursor(BaseModel):
    """How far a feed has been read. `position` is the provider's own (a time, a page, ids); `read_to` is the feed's time up to
    which nothing is missing, the clock by which dedupe forgets. `saved_at` is our clock."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider: str
    feed: str
    read_to: Timestamp
    position: dict[str, Any] = {}
    saved_at: Timestamp

    @property
    def key(self) -> bytes:
        return f"{self.provider}:{self.feed}".encode()

    def to_json(self) -> bytes:
        return orjson.dumps(self.model_dump(mode="json"))


def feed_of(key: bytes) -> tuple[str, str] | None:
    """Provider and feed of a cursor's key; None for the keys of other records in the topic."""
    provider, _, feed = key.decode(errors="replace").partition(":")
    return (provider, feed) if provider and feed and ":" not in feed else None


def read_cursor(value: bytes) -> Cursor | None:
    """None where it can't be read."""
    try:
        return Cursor.model_validate_json(value)
    except ValidationError:
        return None

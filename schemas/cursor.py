"""A feed's cursor, as it stands in `changecast.cursors` under the key `<provider>:<feed>`."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict

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

"""That an item of a feed is in the dead topic already, as it stands in `changecast.cursors` under `<provider>:<feed>:<digest>:dead`.

The value has the fields of a cursor, of a provider that no config can name: releases that don't know these keys take it for the cursor
of an unknown provider, and leave it out.
"""

from __future__ import annotations

from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.event import Timestamp

_SUFFIX = ":dead"


class DeadMark(BaseModel):
    """`feed` as `<provider>:<feed>`. `read_to`: the feed's time of the item. Once the feed can't read that time again, the mark goes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider: Literal["dead"] = "dead"
    feed: str
    digest: str
    read_to: Timestamp
    saved_at: Timestamp

    @property
    def key(self) -> bytes:
        return f"{self.feed}:{self.digest}{_SUFFIX}".encode()

    def to_json(self) -> bytes:
        return orjson.dumps(self.model_dump(mode="json"))


def is_dead_mark_key(key: bytes) -> bool:
    """Whether a record of `changecast.cursors` is a mark, and no cursor."""
    return key.endswith(_SUFFIX.encode())


def read_mark(value: bytes | None) -> DeadMark | None:
    """None where it was deleted or can't be read: then its item may be written once more, and nothing is lost."""
    try:
        return None if value is None else DeadMark.model_validate_json(value)
    except ValidationError:
        return None

"""What a feed is doing, as it stands in `changecast.cursors` under the key `<provider>:<feed>:status`, beside the feed's cursor."""

from __future__ import annotations

import logging
from enum import StrEnum

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.event import Timestamp

log = logging.getLogger(__name__)

_SUFFIX = ":status"


class FeedState(StrEnum):
    """`polling`: a poll is under way. `catching-up`: likewise, and the feed is far behind. `waiting`: for the next poll.
    `retrying`: the last poll failed. `rejected`: the provider does not accept the credentials. `stopped`: its worker has ended."""

    POLLING = "polling"
    CATCHING_UP = "catching-up"
    WAITING = "waiting"
    RETRYING = "retrying"
    REJECTED = "rejected"
    STOPPED = "stopped"


class FeedStatus(BaseModel):
    """`until`: when the feed is polled again, where it waits. `polled_at`: when a poll last came to its end without an error.
    `requests` and `events`: sent to the provider, and written, since the worker began to poll (`started_at`). `rate`: requests/s
    that polling may spend at this provider now; `lent_to` names the commands that have the rest of its share. `statistics`: what the
    feed itself has to tell. `at`: when this was true."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider: str
    feed: str
    state: FeedState
    until: Timestamp | None = None
    polled_at: Timestamp | None = None
    error: str | None = None
    error_at: Timestamp | None = None
    requests: int = 0
    events: int = 0
    rate: float | None = None
    lent_to: list[str] | None = None
    statistics: dict[str, float] = {}
    worker: str
    started_at: Timestamp
    at: Timestamp

    @property
    def key(self) -> bytes:
        return f"{self.provider}:{self.feed}{_SUFFIX}".encode()

    def to_json(self) -> bytes:
        return orjson.dumps(self.model_dump(mode="json"))


def is_status_key(key: bytes) -> bool:
    """Whether a record of `changecast.cursors` is a status, and no cursor."""
    return key.endswith(_SUFFIX.encode())


def read_status(key: bytes, value: bytes | None) -> FeedStatus | None:
    """The status in a record of `changecast.cursors`; None for any other record, and for a status that can't be read: a newer version
    may have written it, and the next one comes within seconds."""
    if value is None or not is_status_key(key):
        return None
    try:
        return FeedStatus.model_validate_json(value)
    except ValidationError as error:
        log.info("the status under %r can't be read: errors: %d", key, error.error_count())
        return None

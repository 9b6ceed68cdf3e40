"""A delivery's attempts and an endpoint's state, as they stand in `changecast.deliveries` and `changecast.endpoints`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field

from schemas.event import Timestamp

REMOVED_AT = "changecast-removed-at"
STUCK_SINCE = "changecast-stuck-since"
MAX_ANSWER_BYTES = 2048
"""As much of a receiver's answer as an operator needs to see why it refused."""


class Outcome(StrEnum):
    """`delivered` and `dead` end a delivery, `retry` has a next attempt, `disabled` ends it with its endpoint."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    DISABLED = "disabled"


class ErrorClass(StrEnum):
    """What kind of thing went wrong, for counting; the error's own words are for people."""

    TIMEOUT = "timeout"
    DNS = "dns"
    ADDRESS_REFUSED = "address_refused"
    CONNECTION = "connection"
    TLS = "tls"
    PROTOCOL = "protocol"
    """What came back is no HTTP, or the request can't be one."""
    STATUS = "status"
    REDIRECT = "redirect"
    GONE = "gone"
    SLACK = "slack"
    """Slack's own word for it."""
    BODY = "body"
    """The template makes nothing of the event."""
    DISABLED = "disabled"
    FAULT = "fault"
    """An error in changecast's own sending: the endpoint is not to blame."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_json(self) -> bytes:
        return self.model_dump_json().encode()


class Attempt(_Record):
    """One call of one endpoint for one event. `attempt` counts from 1. `answer`: the beginning of what the receiver said. `name` and
    `change` are what people read. `note`: what is worth knowing of the attempt beside its result."""

    webhook_id: str
    event_id: str
    subject: str
    subscription: str
    kind: Literal["webhook", "slack"]
    attempt: int = Field(ge=1)
    outcome: Outcome
    at: Timestamp
    ms: float | None = None
    status_code: int | None = None
    error: str | None = None
    error_class: ErrorClass | None = None
    address: str | None = None
    next_at: Timestamp | None = None
    answer: str | None = Field(default=None, max_length=MAX_ANSWER_BYTES)
    name: str | None = None
    change: str | None = None
    note: str | None = None


class EndpointState(_Record):
    """What all sinks workers know of a subscription's endpoint. `since`: events written before it are not its own. `failing_percent`:
    how much of the time after which it is disabled has passed with failures only, in steps of which people are told. `removed_at`:
    since when no worker's config has the subscription. `stuck_since`: since when something has been due, and nothing attempted."""

    subscription: str
    since: Timestamp
    disabled_at: Timestamp | None = None
    disabled_reason: str | None = None
    failing_since: Timestamp | None = None
    failing_percent: int = Field(default=0, ge=0, le=100)
    removed_at: Timestamp | None = Field(default=None, exclude=True)
    stuck_since: Timestamp | None = Field(default=None, exclude=True)

    def headers(self) -> list[tuple[str, bytes]]:
        """Of the record. Workers of earlier versions take a value with a field that they don't know for no state at all."""
        times = ((REMOVED_AT, self.removed_at), (STUCK_SINCE, self.stuck_since))
        return [(name, time.isoformat().encode()) for name, time in times if time is not None]

    @classmethod
    def read(cls, value: bytes, headers: Iterable[tuple[str, bytes]]) -> Self:
        """Raises ValueError."""
        document = orjson.loads(value)
        found = {name: content.decode("utf-8", "replace") for name, content in headers}
        times = {"removed_at": found.get(REMOVED_AT), "stuck_since": found.get(STUCK_SINCE)}
        return cls.model_validate(document | times if isinstance(document, dict) else document)

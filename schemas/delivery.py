"""A delivery's attempts and an endpoint's state, as they stand in `changecast.deliveries` and `changecast.endpoints`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.event import Timestamp

REMOVED_AT = "changecast-removed-at"
STUCK_SINCE = "changecast-stuck-since"
OUTAGE = "changecast-outage"
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
    since when no worker's config has the subscription. `stuck_since`: since when something has been due, and nothing attempted.
    `failed_attempts`, `last_failed_at`, `counted_s`: the outage since `failing_since`, see sinks.outage."""

    subscription: str
    since: Timestamp
    disabled_at: Timestamp | None = None
    disabled_reason: str | None = None
    failing_since: Timestamp | None = None
    failing_percent: int = Field(default=0, ge=0, le=100)
    removed_at: Timestamp | None = Field(default=None, exclude=True)
    stuck_since: Timestamp | None = Field(default=None, exclude=True)
    failed_attempts: int = Field(default=0, ge=0, exclude=True)
    last_failed_at: Timestamp | None = Field(default=None, exclude=True)
    counted_s: float = Field(default=0.0, ge=0, allow_inf_nan=False, exclude=True)

    def headers(self) -> list[tuple[str, bytes]]:
        """Of the record. Workers of earlier versions take a value with a field that they don't know for no state at all."""
        times = ((REMOVED_AT, self.removed_at), (STUCK_SINCE, self.stuck_since))
        found = [(name, time.isoformat().encode()) for name, time in times if time is not None]
        if self.last_failed_at is not None:
            tally = {"attempts": self.failed_attempts, "last": self.last_failed_at, "counted_s": self.counted_s}
            found.append((OUTAGE, orjson.dumps(tally)))
        return found

    @classmethod
    def read(cls, value: bytes, headers: Iterable[tuple[str, bytes]]) -> Self:
        """Raises ValueError."""
        document = orjson.loads(value)
        found = {name: (content or b"").decode("utf-8", "replace") for name, content in headers}
        more = {"removed_at": found.get(REMOVED_AT), "stuck_since": found.get(STUCK_SINCE), **_outage(found.get(OUTAGE))}
        return cls.model_validate(document | more if isinstance(document, dict) else document)


class _Tally(BaseModel):
    """An outage, as its header says it."""

    attempts: int = Field(ge=0)
    last: Timestamp
    counted_s: float = Field(ge=0, allow_inf_nan=False)


def _outage(header: str | None) -> dict[str, Any]:
    """A header that can't be read counts as none: the state is there without it, and the outage is counted again."""
    try:
        tally = _Tally.model_validate_json(header or "")
    except ValidationError:
        return {}
    return {"failed_attempts": tally.attempts, "last_failed_at": tally.last, "counted_s": tally.counted_s}

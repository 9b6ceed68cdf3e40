"""Alerts: what operators are told of endpoints. CloudEvents like the changes, in `changecast.alerts` and at subscriptions with
`alerts: true`; and what has been told already, so that a restart tells nothing twice."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.event import CloudEvent, Timestamp

ALERT_SCHEMA: Final = "urn:changecast:schema:alert:1"
ALERT_TYPE = "changecast.alert."
"""What the type of every alert begins with."""
ALERT_SOURCE: Final = "urn:changecast:sinks"


class AlertKind(StrEnum):
    """The end of an alert's type, gravest first."""

    DISABLED = "endpoint.disabled"
    FAILING = "endpoint.failing"
    STUCK = "endpoint.stuck"
    DEAD = "delivery.dead"
    CURSOR_LOST = "cursor.lost"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_json(self) -> bytes:
        return self.model_dump_json().encode()


class LastDead(_Model):
    """A delivery that was given up."""

    webhook_id: str = Field(description="Its name: `changecast deliveries show` tells all of it.")
    event_id: str = Field(description="The event that was not delivered.")
    subject: str = Field(description="The entity's URN.")
    attempts: int = Field(description="How often it was tried.")
    error: str = Field(description="What came of the last attempt.")
    at: Timestamp = Field(description="When it was given up.")


class DeadDeliveries(_Model):
    """The deliveries to one endpoint that were given up since the last alert. `first`: the webhook-id of the first of them."""

    count: int = Field(ge=1, description="How many.")
    first: str = Field(description="The webhook-id of the first of them.")
    last: LastDead = Field(description="The last of them.")


class AlertData(_Model):
    """The whole health of the endpoint at the time of the alert, whatever the reason for it."""

    subscription: str = Field(description="The subscription whose endpoint it is.")
    endpoint: Literal["webhook", "slack"] = Field(description="What kind of endpoint.")
    summary: str = Field(description="What has happened, in a sentence.")
    remedy: str = Field(description="The command that helps.")
    failing_since: Timestamp | None = Field(
        description="The first of the failures after which nothing has succeeded; null when well."
    )
    failing_percent: int = Field(description="How much of `delivery.disable_after` that comes to: 0, 50, 75 or 100.")
    disables_at: Timestamp | None = Field(description="When it is disabled if all goes on failing; null when well, or disabled.")
    disabled_at: Timestamp | None = Field(description="When it was disabled; null when it is not.")
    disabled_reason: str | None = Field(description="Why it was disabled.")
    dead: DeadDeliveries | None = Field(description="What was given up since the last alert; null for nothing.")


class AlertEvent(CloudEvent):
    """Something is wrong with an endpoint: a CloudEvent in structured JSON."""

    id: str = Field(min_length=1, description="The same alert has the same id, however often it comes.")
    source: Literal["urn:changecast:sinks"] = Field(default=ALERT_SOURCE, description="Who tells.")
    type: str = Field(description=f"{ALERT_TYPE}, and one of: {', '.join(AlertKind)}.")
    subject: str = Field(min_length=1, description="The endpoint: changecast:endpoint:<subscription>.")
    time: Timestamp = Field(description="When this was found.")
    dataschema: Literal["urn:changecast:schema:alert:1"] = Field(default=ALERT_SCHEMA, description="The id of this schema.")
    data: AlertData = Field(description="The alert.")


class Told(_Model):
    """What operators have been told of one endpoint. `at`: the last alert of any kind. `failing_since`, `failing_percent`,
    `disabled_at` and `stuck_since` as they stood in it. `dead`: what was given up since, and waits to be told."""

    subscription: str
    at: Timestamp | None = None
    failing_since: Timestamp | None = None
    failing_percent: int = 0
    disabled_at: Timestamp | None = None
    stuck_since: Timestamp | None = None
    dead: DeadDeliveries | None = None

    def to_json(self) -> bytes:
        """Workers of earlier versions take a field that they don't know for an unreadable record."""
        return self.model_dump_json(exclude={"stuck_since"} if self.stuck_since is None else None).encode()


class ReadTo(_Model):
    """How far the dead topic has been read for alerts: the next offset, by partition."""

    offsets: dict[int, int]

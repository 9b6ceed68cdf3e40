"""The answer to a call that was in flight when its partition moved, as it stands in `changecast.handover`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from schemas.delivery import Outcome
from schemas.event import Timestamp


class LateAnswer(BaseModel):
    """`token`: the pending call, as its retry record names it. `attempts`: made so far, this one included. `next_at`: when the next
    attempt is due, for `retry`. `reason` and `error`: for the dead topic, where the delivery ended without success."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    token: str
    subscription: str
    outcome: Outcome
    attempts: int = Field(ge=1)
    next_at: Timestamp | None = None
    reason: str = ""
    error: str = ""

    def to_json(self) -> bytes:
        return self.model_dump_json().encode()

"""What came back from an endpoint, and who asks: the seam between the delivery engine and the ways to deliver."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Literal, NamedTuple, Protocol

from schemas.delivery import ErrorClass
from sinks.event import Event

Kind = Literal["webhook", "slack"]
"""What sort of endpoint a subscription has."""


class Meaning(Enum):
    """`GONE`: the endpoint itself has ended. `REFUSED`: this delivery can't succeed, however often it is tried."""

    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"
    GONE = "gone"


class Answer(NamedTuple):
    """`ms`: how long the attempt took. `retry_after` in seconds. `text`: the beginning of what the receiver said.
    `note`: what an operator may want to hear of the attempt beside its result."""

    meaning: Meaning
    ms: float
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    address: str | None = None
    text: str | None = None
    error_class: ErrorClass | None = None
    note: str | None = None

    @property
    def blames_endpoint(self) -> bool:
        """Whether the failure counts against the endpoint: for its breaker, and for disabling it."""
        return self.meaning is Meaning.FAILED and self.error_class is not ErrorClass.FAULT


class Sender(Protocol):
    """One way to deliver to one endpoint."""

    @property
    def kind(self) -> Kind: ...

    def batch(self, waiting: int) -> int:
        """How many of the events that wait go out in one call; the answer holds for all of them."""

    async def send(self, events: Sequence[Event]) -> Answer:
        """One attempt. Does not raise for what a receiver or the network does. What it raises all the same is a failed attempt of
        class `fault`; of a call with several events, each is then sent in a call of its own."""

"""One event on its way to one subscription."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sinks.event import Event

if TYPE_CHECKING:
    from sinks.shard import Shard


@dataclass(slots=True, eq=False)
class Delivery:
    """`attempts`: made before this process took it up. `held_topic`, `held_offset`: the record that stays open until this is settled,
    of the changes for a first attempt, of a retry topic for a later one. `topic`, `offset`: the event's own place in the changes;
    the partition is the shard's. `queued_at`: monotonic seconds. `memory`: bytes that its endpoint accounts for it. `handed_over`: the
    token by which the partition's next owner finds its answer, where the partition has moved during the call. `deferrals`: as in the
    retry record that it came from."""

    subscription: str
    event: Event
    shard: Shard
    topic: str
    offset: int
    held_topic: str
    held_offset: int
    attempts: int = 0
    queued_at: float = 0.0
    memory: int = 0
    handed_over: str = ""
    deferrals: int = 0

    @property
    def is_first(self) -> bool:
        """Whether it came from the changes. One that an operator sends again has no attempts behind it, and is a retry still."""
        return self.held_topic == self.topic

    @property
    def size(self) -> int:
        return len(self.event.value)

"""Which events of a batch were seen before. The table keeps an id's first sighting; what it holds has been published.

The mark is written in the transaction that publishes the event (see `tables.py`), so a mark without its event, or an event
without its mark, can't be: a replay after a kill finds the table as it was before the batch.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

_MARK = struct.Struct(">q")


class Identified(Protocol):
    @property
    def id(self) -> str: ...


Event = TypeVar("Event", bound=Identified)


@dataclass(frozen=True, slots=True)
class Mark:
    """`seen_at`: in ms of the feed's own time, by which marks are swept."""

    seen_at: int

    def pack(self) -> bytes:
        return _MARK.pack(self.seen_at)

    @classmethod
    def unpack(cls, value: bytes) -> Mark:
        return cls(seen_at_of(value))


def seen_at_of(value: bytes) -> int:
    """`seen_at` of a packed mark. The sweep reads thousands of them."""
    seen_at: int = _MARK.unpack(value)[0]
    return seen_at


def first_sightings(events: Iterable[Event], look_up: Callable[[bytes], bytes | None]) -> list[Event]:
    """The events whose id was not seen before, in order. An id that repeats in the batch passes once."""
    passed: dict[str, Event] = {}
    for event in events:
        if event.id not in passed and look_up(event.id.encode()) is None:
            passed[event.id] = event
    return list(passed.values())

"""Which events of a batch were seen before. The table keeps the position of an id's first sighting, not a flag.

When a process dies between the table's write and the commit, the same event comes again at the same position, and must pass. Any
other sighting of that id is a repeat.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from streams.tables import Write

_MARK = struct.Struct(">qq")


class Sighted(Protocol):
    """What dedupe needs of an event: its id, and where it stands."""

    @property
    def id(self) -> str: ...

    @property
    def offset(self) -> int: ...


Event = TypeVar("Event", bound=Sighted)


@dataclass(frozen=True, slots=True)
class Mark:
    """`offset` of the first sighting in its partition; `seen_at` in ms of the feed's own time, by which marks are swept."""

    offset: int
    seen_at: int

    def pack(self) -> bytes:
        return _MARK.pack(self.offset, self.seen_at)

    @classmethod
    def unpack(cls, value: bytes) -> Mark:
        return cls(*_MARK.unpack(value))


def first_sightings(
    events: Iterable[Event], look_up: Callable[[bytes], bytes | None], seen_at: int
) -> tuple[list[Event], list[Write]]:
    """The events whose id was not seen at another position, and the marks to write. An id that repeats within the batch passes once."""
    passed: list[Event] = []
    marks: dict[bytes, int] = {}
    writes: list[Write] = []
    for event in events:
        key = event.id.encode()
        if key in marks:
            continue
        stored = look_up(key)
        if stored is not None and Mark.unpack(stored).offset != event.offset:
            continue
        marks[key] = event.offset
        passed.append(event)
        if stored is None:
            writes.append(Write(key, Mark(event.offset, seen_at).pack()))
    return passed, writes

"""When a fault may make what is in flight come again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.chaos.plan import Kind
from tests.chaos.stage import Struck

SETTLES_WITHIN_S = 2.0
"""From an answer to its commit: a few hundredths of a second, and more on a machine that is busy."""
_ARRIVES_WITHIN_S = 1.0
"""What a worker had sent when it was killed is read by its receiver so soon."""
_BROKER_AFTER_S = 15.0
"""From when a killed broker answers again to when all workers commit again: nothing that is answered before is settled."""


@dataclass(frozen=True)
class Window:
    """A delivery whose call was there, and not yet committed, at some time from `begin` to `end` (Unix seconds) may come again."""

    begin: float
    end: float

    def holds(self, arrived: float, settled: float) -> bool:
        return self.begin <= settled and arrived <= self.end


def windows_of(struck: Iterable[Struck]) -> list[Window]:
    return [window for one in struck for window in _of(one)]


def _of(struck: Struck) -> Iterator[Window]:
    match struck.kind:
        case Kind.KILL_BROKER:
            yield Window(struck.at, struck.over + _BROKER_AFTER_S)
        case Kind.PAUSE_WORKER:
            yield Window(struck.at, struck.at + _ARRIVES_WITHIN_S)
        case Kind.STOP_WORKER:
            pass  # what is in flight may end
        case _:
            yield Window(struck.at, struck.at + _ARRIVES_WITHIN_S)

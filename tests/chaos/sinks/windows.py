"""When a fault may make what is in flight come again. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.plan import Kind
from tests.chaos.stage import Struck

SETTLES_WITHIN_S = 2.0
"""From an answer to its commit: a few hundredths of a second, and more on a machine that is busy."""
_ARRIVES_WITHIN_S = 1.0
"""What a worker had sent when it was killed, or sends when it runs on, is read by its receiver so soon."""
_BROKER_AFTER_S = 15.0
"""From when a killed broker answers again to when all workers commit again: nothing that is answered before is settled."""


@dataclass(frozen=True)
class Window:
    """A delivery whose call was there, and not yet committed, at some time from `begin` to `end` (Unix seconds) may come again."""

    begin: float
    end: float

    def holds(self, arrived: float, settled: float) -> bool:
        return self.begin <= settled and arrived <= self.end


@dataclass(frozen=True)
class Windows:
    """`repeats`: what was in flight then may come again. `late`: what comes then may itself be the repeat: a worker that was stopped with
    a request on its way sends it when it runs on, and another has delivered it meanwhile."""

    repeats: Sequence[Window]
    late: Sequence[Window]


def windows_of(struck: Sequence[Struck]) -> Windows:
    paused = [one for one in struck if one.kind is Kind.PAUSE_WORKER]
    late = [Window(one.over, one.over + _ARRIVES_WITHIN_S) for one in paused]
    return Windows([window for one in struck for window in _of(one)], late)


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

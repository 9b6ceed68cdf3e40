"""How much the sinks' bench does, and what it has found."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Size:
    """`saturated`: deliveries in all for one pass. `rounds`: passes of ours and of the bare client in turn, of which the median counts."""

    saturated: int = 20_000
    rounds: int = 5
    rate: int = 300
    seconds: float = 20.0
    isolated_s: float = 30.0
    events: int = 4_000


FULL = Size()
SHORT = Size(saturated=2_000, rounds=1, seconds=4.0, isolated_s=6.0, events=400)


@dataclass(frozen=True)
class Pass:
    """`cpu_s`: seconds of processor time a delivery."""

    deliveries_s: float
    cpu_s: float


@dataclass(frozen=True)
class Against:
    """Passes in turn of ours and of the bare client to so many endpoints."""

    endpoints: int
    concurrency: int
    ours: list[Pass]
    bare: list[Pass]

    @property
    def ratio(self) -> float:
        return statistics.median(ours.deliveries_s / bare.deliveries_s for ours, bare in zip(self.ours, self.bare, strict=True))

    @property
    def cpu_ratio(self) -> float:
        return statistics.median(bare.cpu_s / ours.cpu_s for ours, bare in zip(self.ours, self.bare, strict=True))


@dataclass
class Measured:
    """Latencies in seconds, sorted, from the event's append in the changes topic to the receiver's clock."""

    saturated: list[Against] = field(default_factory=list)
    open_loop: list[float] = field(default_factory=list)
    relayed: list[float] = field(default_factory=list)
    isolated: list[float] = field(default_factory=list)
    matching: dict[int, float] = field(default_factory=dict)

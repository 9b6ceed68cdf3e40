"""How much is measured, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Size:
    """`known`: ids and snapshots before the measurement, ascending. `events`: through each subject, half of them repeats.
    `rounds`: how often the streams and what they are compared with take turns."""

    known: tuple[int, ...]
    events: int
    rounds: int
    rates: tuple[int, ...] = (10, 100, 500)
    rate_s: float = 20.0


FULL = Size(known=(10_000, 100_000, 1_000_000), events=20_000, rounds=5)
SHORT = Size(known=(1_000, 5_000), events=1_200, rounds=1, rates=(100,), rate_s=3.0)


@dataclass(frozen=True)
class Passage:
    """A run of the input through one subject: events/s from the first output to the last; bytes resident after it; its seconds of
    processor time an event, which tell more than events/s where other programs use the machine."""

    events_s: float
    resident: int
    cpu_s: float


@dataclass
class Turns:
    """What one subject did each time that its turn came."""

    passages: list[Passage] = field(default_factory=list)

    @property
    def events_s(self) -> float:
        return median(passage.events_s for passage in self.passages)

    @property
    def cpu_s(self) -> float:
        return median(passage.cpu_s for passage in self.passages)

    def __str__(self) -> str:
        rates = [passage.events_s for passage in self.passages]
        spread = f" ({min(rates):,.0f} to {max(rates):,.0f})" if len(rates) > 1 else ""
        return f"{self.events_s:,.0f} events/s{spread}, {self.cpu_s * 1000:.2f} ms CPU each"


@dataclass
class Known:
    """The streams with so many known ids and snapshots. Seconds from the start of the process to the first output."""

    entities: int
    passage: Passage
    lost_disk_s: float
    with_disk_s: float
    id_bytes: float
    snapshot_bytes: float


@dataclass
class Measured:
    start_s: float = 0.0
    known: list[Known] = field(default_factory=list)
    turns: dict[str, Turns] = field(default_factory=dict)
    latencies: dict[int, tuple[float, float]] = field(default_factory=dict)

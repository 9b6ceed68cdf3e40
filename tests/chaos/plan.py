"""Which faults, in which order, after how long: drawn from a seed, so that a run can be had again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

SESSION_S = 10.0
"""`runtime.kafka.SESSION_TIMEOUT_MS`: a worker that is silent for longer has lost its partitions."""


class Kind(StrEnum):
    KILL_WORKER = "worker killed"
    KILL_BROKER = "broker killed"
    LOSE_DISK = "worker killed, its disk deleted"
    PAUSE_WORKER = "worker stopped past its session"
    STOP_WORKER = "worker stopped in order"


@dataclass(frozen=True)
class Odds:
    """What befalls a part. `kills`: those by kill -9, and how often beside each other; each comes at least once. `fewest_others`: faults
    of other kinds, of which there are a third as many as kills."""

    kills: Mapping[Kind, int]
    workers: int
    fewest_others: int


@dataclass(frozen=True)
class Fault:
    """`after`: seconds behind the moment at which the last fault has been got over. `lasts`: of a pause, or until a killed worker
    is started again. `at_once`: it does not wait until the last fault has been got over."""

    kind: Kind
    worker: int
    after: float
    lasts: float
    at_once: bool


def plan(kills: int, seed: int, odds: Odds) -> list[Fault]:
    """`kills` faults by kill -9, and a third as many others among them."""
    random = Random(f"plan:{seed}")
    kinds = [*odds.kills][:kills]
    kinds += random.choices([*odds.kills], [*odds.kills.values()], k=kills - len(kinds))
    others = max(odds.fewest_others, kills // 3)
    kinds += [*[Kind.PAUSE_WORKER] * (others - others // 4), *[Kind.STOP_WORKER] * (others // 4)]
    random.shuffle(kinds)
    return [_fault(kind, random, odds.workers) for kind in kinds]


def _fault(kind: Kind, random: Random, workers: int) -> Fault:
    lasts = random.uniform(SESSION_S + 1, SESSION_S + 6) if kind is Kind.PAUSE_WORKER else random.choice([0.0, 0.0, 2.0])
    return Fault(kind, random.randrange(workers), random.uniform(0.0, 4.0), lasts, at_once=random.random() < 0.25)


def counts(faults: Sequence[Fault]) -> Counter[Kind]:
    return Counter(fault.kind for fault in faults)

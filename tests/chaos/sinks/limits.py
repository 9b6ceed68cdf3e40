"""Limits of endpoints over all workers, by when their receivers' calls came. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.chaos.sinks.behaviours import SINGLE_S
from tests.chaos.sinks.endpoints import Endpoint

_OVER_S = 2.0
_LATE_S = 1.5
"""On a machine that is busy a call is read so long after it was sent, and another one at once."""

Arrival = tuple[float, bool]
"""In Unix seconds; whether a fault was near: its sender may have been killed, or stopped and its lease gone."""


def over_limits(endpoint: Endpoint, arrivals: Sequence[Arrival]) -> Iterator[str]:
    """`arrivals`: of its receiver's calls, in their order."""
    if endpoint.rate is not None:
        most = int(endpoint.rate * (_OVER_S + _LATE_S))
        times = [at for at, near in arrivals if not near]
        for first, last in zip(times, times[most:], strict=False):
            if last - first < _OVER_S:
                yield f"{endpoint.name}: {most + 1} calls in {last - first:.2f} s, for {endpoint.rate} a second"
    if endpoint.concurrency == 1:
        for (earlier, near), (later, also_near) in pairwise(arrivals):
            # the answer to the earlier one came no sooner
            if later - earlier < SINGLE_S and not (near or also_near):
                yield f"{endpoint.name}: a call {later - earlier:.3f} s after another, which was still in flight"

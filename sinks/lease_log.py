"""Who holds which limit: the leases of `changecast.leases`, as a pure function of its records.

A receiver's `rate` or `concurrency` holds over all workers, so only one worker at a time may call it: the one that holds its lease. There
is no coordinator. Workers append records to one partition, everybody reads it, and its order decides:

    offset  worker  record                      line of key k         meaning
    ------  ------  --------------------------  --------------------  ---------------------------------------------------
        10  A       claims k                    [A]                   nobody held it: A holds it
        11  B       claims k                    [A, B]                B waits. A sees that, and ends its turn within a second
        12  A       (heartbeat)                 [A, B]                each worker in a line writes at least once a second
        13  A       releases k (pacing),        [B, A]                A has more to send: back to the end of the line. B holds it,
                    claims k                                          and continues with A's usage of the rate (`pacing`)
        14  A       (heartbeat)                 [B, A]                … B is killed …
        21  A       evicts B, last seen at 13   [A]                   A has not read anything of B for a term. Compare-and-set: had
                                                                      B written after 13, the eviction would have no effect

Invariants:
- The first worker of a line is the holder. Each reader of the same records has the same lines.
- A worker stands in a line from its claim until its release or eviction. It writes at least once in `TERM_S` for as long, or is evicted.
- The lease of a holder whose last record was sent at time t of its own clock is valid until t + TERM_S - margin; an eviction is written
  later than TERM_S after that record was read, which is later than t. So clocks are never compared, only durations on each.
- A member repeats its claims every few minutes, far more often than the topic's retention: what is kept shows all lines completely.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.lease import LeaseRecord, Pacing

TERM_S = 4.0
"""A holder that is killed delays its endpoint by as much. Four heartbeats, so that a moment without processor time costs no lease."""


class LeaseEnd(NamedTuple):
    """A holder that may have used the limit has ended. `pacing` None: by eviction, so its last requests are unknown."""

    key: str
    worker: str
    pacing: Pacing | None


class LeaseLog:
    """`last`: the newest offset of each worker that stands in a line."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self._lines: dict[str, list[str]] = {}
        self._keys: dict[str, set[str]] = {}
        self._numbers: dict[str, int] = {}

    def line(self, key: str) -> list[str]:
        """Workers in order; the first is the holder."""
        return self._lines.get(key, [])

    def holder(self, key: str) -> str | None:
        line = self._lines.get(key)
        return line[0] if line else None

    def keys(self, worker: str) -> set[str]:
        """The keys in whose lines the worker stands."""
        return self._keys.get(worker, set())

    def apply(self, offset: int, record: LeaseRecord) -> list[LeaseEnd]:
        """The holders that ended by this record, in order."""
        worker = record.worker
        if record.number <= self._numbers.get(worker, -1):
            return []  # a duplicate is no sign of life
        ended = [one for eviction in record.evictions for one in self._evict(eviction.worker, eviction.last)]
        for release in record.releases:
            if self.holder(release.key) == worker and release.pacing is not None:
                ended.append(LeaseEnd(release.key, worker, release.pacing))
            self._leave(release.key, worker)
        for key in record.claims:
            if worker not in self.line(key):
                self._lines.setdefault(key, []).append(worker)
                self._keys.setdefault(worker, set()).add(key)
        if worker in self._keys:
            self.last[worker], self._numbers[worker] = offset, record.number
        return ended

    def _evict(self, worker: str, last: int) -> list[LeaseEnd]:
        if self.last.get(worker) != last:
            return []
        held = sorted(self.keys(worker))
        ended = [LeaseEnd(key, worker, None) for key in held if self.holder(key) == worker]
        for key in held:
            self._leave(key, worker)
        return ended

    def _leave(self, key: str, worker: str) -> None:
        line = self.line(key)
        if worker not in line:
            return
        line.remove(worker)
        if not line:
            del self._lines[key]
        self._keys[worker].remove(key)
        if not self._keys[worker]:
            del self._keys[worker], self.last[worker], self._numbers[worker]

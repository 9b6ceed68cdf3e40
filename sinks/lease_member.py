"""One worker's part in the leases: which limits it may use now, and what it writes next. Pure: records and times are arguments.

Times are seconds of this worker's monotonic clock. It has one record on its way at a time: the next is planned when the last has been
read back, so a plan never contradicts an own record that others may have seen already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from schemas.lease import Eviction, LeaseRecord, Pacing, Release
from sinks.lease_log import TERM_S, LeaseEnd, LeaseLog

MARGIN_S = 0.5
"""A lease ends earlier for its holder than for others: an attempt that has just been admitted still has to reach the wire."""
_BEAT_S = 1.0
_TICKS = 3
"""Own heartbeats read back before a silent worker is evicted: while Kafka is away everybody is silent, and nobody is dead."""
IDLE_S = 5.0
"""A holder with nothing due keeps its lease for as long, since the next event may be near. Then it costs no more records."""
MAX_TURN_S = 60.0
"""A holder that can't send (a long Retry-After) passes the lease on all the same. With 20 workers a line moves within 20 min."""
_REPEAT_S = 300.0
"""Claims are repeated, so that the retention of the topic (2 h, see `leases_topic`) never removes the newest one of a member."""
_LOST_S = 60.0


class NotReadBack(ConnectionError):
    """Kafka took a record, and does not hand it out."""


class Holder(Protocol):
    """What uses a lease in this process: one limit."""

    def due(self) -> bool:
        """Whether there is something to send now."""

    def drained(self) -> bool:
        """Whether another worker may start without exceeding the limit: nothing that it counts is in flight."""

    @property
    def turn_s(self) -> float:
        """Shortest turn while others wait, in seconds."""

    @property
    def sent(self) -> int:
        """Attempts so far."""

    def pacing(self) -> Pacing:
        """What the next holder must know."""


@dataclass(frozen=True)
class Predecessor:
    """How the last lease ended. `pacing` None: by eviction; attempts may have begun until `at`. Else it was read at `at`. `paused_until`
    and `broken_until` by this worker's clock."""

    worker: str
    pacing: Pacing | None
    at: float
    paused_until: float
    broken_until: float


@dataclass
class _Turn:
    """`closing`: nothing more is sent in it."""

    began_at: float
    due_at: float
    sent: int
    closing: bool = False


class LeaseMember:
    """`worker`: an identity that no other life of a worker ever had."""

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self._log = LeaseLog()
        self._turns: dict[str, _Turn] = {}
        self._predecessors: dict[str, Predecessor] = {}
        self._seen_at: dict[str, float] = {}
        self._ticks: deque[tuple[float, float]] = deque(maxlen=_TICKS)
        self._number = -1
        self._sent_at = 0.0
        self._confirmed_at = float("-inf")
        self._claimed_at = 0.0
        self._claims: frozenset[str] = frozenset()
        self._leaving: frozenset[str] = frozenset()
        self._unread = False

    @property
    def active(self) -> bool:
        """Whether time matters: it stands in a line, or waits for its own record."""
        return self._unread or bool(self._log.keys(self.worker))

    def usable(self, key: str, now: float) -> bool:
        """Asked right before each attempt, also the first after this process stood still."""
        turn = self._turns.get(key)
        return turn is not None and not turn.closing and self.held(key, now)

    def held(self, key: str, now: float) -> bool:
        """The same for what is already under way: until the lease has been released."""
        return key in self._turns and key not in self._leaving and now < self._confirmed_at + TERM_S - MARGIN_S

    def crowded(self, key: str) -> bool:
        """Whether another worker waits for the lease that this one has, or none more may be sent in its turn."""
        turn = self._turns.get(key)
        return turn is not None and (turn.closing or len(self._log.line(key)) > 1)

    def predecessor(self, key: str) -> Predecessor | None:
        """What to respect in a turn that has begun; None where nobody else has used the limit since this worker did."""
        predecessor = self._predecessors.get(key)
        return None if predecessor is None or predecessor.worker == self.worker else predecessor

    def read(self, offset: int, record: LeaseRecord, now: float) -> list[str]:
        """Returns the keys whose lease this worker has from here on."""
        for ended in self._log.apply(offset, record):
            self._predecessors[ended.key] = self._ended(ended, now)
            if ended.worker == self.worker:
                self._turns.pop(ended.key, None)
        if record.worker == self.worker:
            for release in record.releases:
                self._turns.pop(release.key, None)
        if record.worker in self._log.last:
            self._seen_at[record.worker] = now
        self._seen_at = {worker: at for worker, at in self._seen_at.items() if worker in self._log.last}
        if record.worker == self.worker and record.number == self._number:
            self._read_back(now)
        held = {key for key in self._log.keys(self.worker) if self._log.holder(key) == self.worker}
        self._turns = {key: turn for key, turn in self._turns.items() if key in held}
        return sorted(held - self._turns.keys())

    def begin(self, key: str, holder: Holder | None, now: float) -> None:
        """The turn that `read` returned. A worker that is leaving the line does not use it."""
        self._turns[key] = _Turn(now, now, holder.sent if holder else 0, closing=key in self._leaving)

    def ready(self, now: float) -> bool:
        """Whether its last record has been read back, so that the next can be planned. Raises NotReadBack."""
        if self._unread and now - self._sent_at > _LOST_S:
            raise NotReadBack(f"a record of the leases has not been read back for {_LOST_S:.0f} s")
        return not self._unread

    def plan(self, holders: Mapping[str, Holder], now: float, wanting: Collection[str] | None = None) -> LeaseRecord | None:
        """What to append now, if anything; it counts as sent at `now`. `wanting`: the keys that may have become due, for those in
        whose lines it does not stand; None for all. Raises NotReadBack."""
        if not self.ready(now):
            return None
        mine = self._log.keys(self.worker)
        releases, claims = [], []
        for key in sorted(mine):
            holder = holders.get(key)
            if key in self._turns:
                if not self._ends(key, holder, now):
                    continue
                releases.append(Release(key=key, pacing=holder.pacing() if holder else None))
                if holder is not None and holder.due():
                    claims.append(key)
            elif holder is None or not holder.due():
                releases.append(Release(key=key))
        claims += sorted(
            key for key in (holders if wanting is None else wanting) if key not in mine and key in holders and holders[key].due()
        )
        if mine and now - self._claimed_at >= _REPEAT_S:
            claims += sorted(mine - set(claims) - {release.key for release in releases})
            self._claimed_at = now
        evictions = self._silent(now)
        if not (evictions or releases or claims) and not (mine and now - self._sent_at >= _BEAT_S):
            return None
        return self._record(now, evictions, releases, claims)

    def leave(self, holders: Mapping[str, Holder], now: float) -> LeaseRecord | None:
        """The last record: all leases and places in lines are given up. None when there are none."""
        # a claim on its way counts too: a release of what was never claimed does nothing
        if not (mine := self._log.keys(self.worker) | self._claims):
            return None
        releases = [
            Release(key=key, pacing=holders[key].pacing() if key in self._turns and key in holders else None)
            for key in sorted(mine)
        ]
        return self._record(now, [], releases, [])

    def _record(self, now: float, evictions: list[Eviction], releases: list[Release], claims: list[str]) -> LeaseRecord:
        if not self._log.keys(self.worker):
            self._claimed_at = now
        self._number += 1
        self._sent_at, self._unread, self._claims = now, True, frozenset(claims)
        self._leaving = frozenset(release.key for release in releases)
        return LeaseRecord(
            worker=self.worker, number=self._number, evictions=tuple(evictions), releases=tuple(releases), claims=tuple(claims)
        )

    def _read_back(self, now: float) -> None:
        self._unread, self._claims, self._leaving = False, frozenset(), frozenset()
        self._confirmed_at = self._sent_at
        # those that come in one go, after an outage, are one
        if not self._ticks or now - self._ticks[-1][1] >= _BEAT_S:
            self._ticks.append((self._sent_at, now))

    def _ended(self, ended: LeaseEnd, now: float) -> Predecessor:
        before = self._predecessors.get(ended.key)
        if ended.pacing is None:
            # it may have ended without having used what it should have respected: that still holds
            latest = self._seen_at.get(ended.worker, now) + TERM_S - MARGIN_S
            if before is None:
                return Predecessor(ended.worker, None, latest, now, now)
            return Predecessor(ended.worker, None, max(latest, before.at), before.paused_until, before.broken_until)
        paused, broken = now + ended.pacing.paused / 1000, now + ended.pacing.broken / 1000
        return Predecessor(ended.worker, ended.pacing, now, paused, broken)

    def _ends(self, key: str, holder: Holder | None, now: float) -> bool:
        """Whether the turn has ended, and what it left in flight too."""
        turn = self._turns[key]
        if holder is None:
            return True
        turn.closing = turn.closing or self._over(key, turn, holder, now)
        return turn.closing and holder.drained()

    def _over(self, key: str, turn: _Turn, holder: Holder, now: float) -> bool:
        others_wait = len(self._log.line(key)) > 1
        if not holder.due():
            return others_wait or now - turn.due_at >= IDLE_S
        turn.due_at = now
        lasted = now - turn.began_at
        return others_wait and ((lasted >= holder.turn_s and holder.sent > turn.sent) or lasted >= MAX_TURN_S)

    def _silent(self, now: float) -> list[Eviction]:
        """Workers ahead of this one, or behind it in a line, of which nothing has been read for a term."""
        found = {worker for key in self._log.keys(self.worker) for worker in self._log.line(key)} - {self.worker}
        return [
            Eviction(worker=worker, last=self._log.last[worker])
            for worker in sorted(found)
            if now - self._seen_at[worker] >= TERM_S
            and sum(sent_at >= self._seen_at[worker] for sent_at, _ in self._ticks) == _TICKS
        ]

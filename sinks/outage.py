"""How long an endpoint has failed, by its attempts alone. Pure.

The days after which it is disabled start counting once at least 3 attempts have failed, the first and the last of them 12 hours apart;
and it takes at least 10 failed attempts in all. Time counts between one failure and the next: a clock that jumps ahead by ten days and
back is one such gap, and no gap counts for more than 30 hours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from schemas.delivery import EndpointState

_ATTEMPTS_BEFORE = 3
_SPREAD = timedelta(hours=12)
_SPREAD_SHARE = 10
"""Where `delivery.disable_after` is shorter than its default of five days, the spread is shorter in proportion: a tenth of it."""
_ATTEMPTS_IN_ALL = 10
_LONGEST_GAP = timedelta(hours=30)
"""Above the longest step of the default schedule with its jitter (26.4 h)."""
_JUMP = timedelta(minutes=5)
"""By so much a clock may be set while nobody speaks of a jump."""


@dataclass(frozen=True, slots=True)
class Outage:
    """`attempts` failed and none succeeded from `first` to `last`; `counted`: of the time after which the endpoint is disabled."""

    first: datetime
    last: datetime
    attempts: int = 1
    counted: timedelta = timedelta()

    def failed_again(self, now: datetime, disable_after: timedelta, passed: timedelta | None = None) -> Outage:
        """One more attempt has failed. `passed`: since the last, by a clock that nobody sets; None where that is not known. After a
        clock that was ahead is set back, the outage begins again: what it said is worth nothing."""
        gap = now - self.last
        if gap < -_JUMP:
            return Outage(now, now)
        if passed is not None and gap > passed + _JUMP:
            gap = passed
        counted = self.counted + min(max(gap, timedelta()), _LONGEST_GAP) if self._counts(disable_after) else self.counted
        return replace(self, last=max(now, self.last), attempts=self.attempts + 1, counted=counted)

    def _counts(self, disable_after: timedelta) -> bool:
        spread = min(_SPREAD, disable_after / _SPREAD_SHARE)
        return self.attempts >= _ATTEMPTS_BEFORE and self.last - self.first >= spread

    def ends(self, disable_after: timedelta) -> bool:
        """Whether the endpoint is to be disabled."""
        return self.attempts >= _ATTEMPTS_IN_ALL and self.counted >= disable_after

    def joined_unless_begun_again(self, other: Outage | None, now: datetime) -> Outage:
        """With what another worker has seen of it; not of a time that has not come, by a clock that was ahead."""
        if other is None or other.last > now + _JUMP:
            return self
        return Outage(
            min(self.first, other.first),
            max(self.last, other.last),
            max(self.attempts, other.attempts),
            max(self.counted, other.counted),
        )


def outage_of(state: EndpointState) -> Outage | None:
    """What a state says of it. One by an earlier version knows its beginning alone: the count begins again."""
    if state.failing_since is None:
        return None
    last = state.last_failed_at or state.failing_since
    return Outage(state.failing_since, last, max(state.failed_attempts, 1), timedelta(seconds=state.counted_s))


def disables_at(state: EndpointState, disable_after: timedelta) -> datetime | None:
    """When the endpoint is disabled at the earliest, if all goes on failing."""
    if state.failing_since is None or state.disabled_at is not None:
        return None
    last = state.last_failed_at or state.failing_since
    return last + disable_after - timedelta(seconds=state.counted_s)

"""Whether this machine's clock is right, by the `Date` of those who answer. Receivers refuse every signature that is five minutes off,
and what comes back is a plain 400 or 401 from each of them: so it is said once, in the log, what the reason may be."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from statistics import median

from runtime.http_dates import http_date

log = logging.getLogger(__name__)

TOLERANCE = timedelta(minutes=5)
"""As far as libraries of Standard Webhooks let a timestamp be off."""
_MOST_HOSTS = 50
"""Of as many hosts the last `Date` is kept: enough to tell whose clock is wrong."""
_MAX_AGE_DIGITS = 9


class ClockCheck:
    def __init__(self) -> None:
        self._offsets: dict[str, timedelta] = {}
        self._was_said = False

    def observe(self, host: str, headers: Mapping[str, str], now: datetime | None = None) -> None:
        """`headers` of an answer that has just come from `host`. `now`: by our own clock. Warns once."""
        if self._was_said or (offset := offset_of(headers, now or datetime.now(UTC))) is None:
            return
        if len(self._offsets) >= _MOST_HOSTS and host not in self._offsets:
            del self._offsets[next(iter(self._offsets))]
        self._offsets[host] = offset
        if (message := verdict(self._offsets)) is not None:
            self._was_said = True
            log.warning("%s", message)


def offset_of(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """By how much our clock is ahead of the sender's. None without a `Date` that can be read. A cache keeps the `Date` of the origin, and
    says in `Age` for how long it has (RFC 9111, 5.1)."""
    date = http_date(headers.get("Date"))
    if date is None:
        return None
    age = headers.get("Age", "0").strip()
    kept = timedelta(seconds=int(age[:_MAX_AGE_DIGITS])) if age.isascii() and age.isdigit() else timedelta()
    return now - date - kept


def verdict(offsets: Mapping[str, timedelta]) -> str | None:
    """What to say of these hosts' clocks; None when ours agrees with most of them. One wrong clock among several is somebody else's."""
    middle = timedelta(seconds=median(offset.total_seconds() for offset in offsets.values()))
    if abs(middle) <= TOLERANCE:
        return None
    minutes = round(abs(middle) / timedelta(minutes=1))
    way = "ahead of" if middle > timedelta() else "behind"
    whose = next(iter(offsets)) if len(offsets) == 1 else f"most of the {len(offsets)} hosts that have answered"
    return (
        f"the clock of this machine is {minutes} minutes {way} that of {whose}: receivers refuse signatures that are more than "
        "5 minutes off; set the clock, and keep it right with NTP"
    )


SHARED = ClockCheck()
"""Of this process: all its clients look at one clock."""

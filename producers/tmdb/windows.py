"""Days as TMDB counts them: in UTC, asked for in windows of at most 14."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from producers.tmdb.models import DateWindow

DAY = timedelta(days=1)

LONGEST = timedelta(days=13)
"""From start to end. TMDB refuses more than 14 days (422, code 20); counted with both ends, this is 14."""


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def day_of(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def one_day(day: date) -> DateWindow:
    """A day, whether or not the end is counted in."""
    return DateWindow(day, day + DAY)


def walk(start: date, end: date) -> Iterator[DateWindow]:
    """`start` to `end` in windows, oldest first; each begins on the day on which the one before ends."""
    while True:
        upto = min(start + LONGEST, end)
        yield DateWindow(start, upto)
        if upto >= end:
            return
        start = upto

"""The times in HTTP headers: `Date`, `Last-Modified`, `Retry-After`. What stands there is somebody else's: nothing here raises for it."""

from __future__ import annotations

import email.utils
import re
from datetime import UTC, datetime, timedelta

_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_LONGEST_S = 1e9
"""Thirty years: far beyond any limit that a caller sets, and a number that it can calculate with."""


def http_date(value: str | None) -> datetime | None:
    """The moment of an HTTP date (RFC 9110, 5.6.7), in UTC; None where it is absent, no date, or outside the years 1 to 9999.

    A date without a zone is GMT, as the RFC has it for all.
    """
    if value is None:
        return None
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, ArithmeticError, LookupError):
        # the parser's own ways to say that this is no date: which one depends on the part that it stumbled over
        return None


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds from `now` that a Retry-After asks for (RFC 9110, 10.2.3): a number or a date; 0 for a date that has passed. None where
    it is absent or neither. How long a caller obeys is for the caller to limit."""
    if value is None:
        return None
    if _NUMBER.fullmatch(text := value.strip()):
        return min(float(text), _LONGEST_S)
    moment = http_date(text)
    return None if moment is None else min(max((moment - now) / timedelta(seconds=1), 0.0), _LONGEST_S)

"""How old an answer is: what a cache on the way says about it.

    Date: 12:00:00, no Age                       the state of 12:00:00
    Date: 12:00:00, Age: 3600, received 13:00    the state of 12:00:00
    Date: 13:00:00, Age: 3600, received 13:00    the state of 12:00:00 (the cache stamps its own Date)

So a state is as old as the older of `Date` and receipt − `Age` (RFC 9111, 4.2.3). Only answers that no cache kept tell the provider's
clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from runtime.http_dates import http_date

_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])", re.ASCII | re.IGNORECASE)
_CACHE_HEADERS = ("x-cache", "x-memc")
"""CloudFront's and TMDB's memory cache: `Hit from cloudfront`, `RefreshHit from cloudfront`, `HIT`."""

_FARTHEST = timedelta(days=36_525)
"""A Date a century away is nobody's clock: a state of the year 9999 would look newer than all that follow."""


@dataclass(frozen=True)
class Freshness:
    """`as_of`: the time of the state in the answer, on the provider's clock. `cached`: a cache had kept it. `date`: the Date header.
    `expires_in_s`: seconds until the cache asks the provider again, where it says so."""

    as_of: datetime
    cached: bool
    date: datetime | None
    expires_in_s: float | None


def freshness(headers: Mapping[str, str], received: datetime) -> Freshness:
    """`headers` by lower-case names or in a case-insensitive mapping; `received` on the provider's clock, as far as that is known."""
    age = _age_s(headers)
    cached = bool(age) or any("hit" in headers.get(name, "").lower() for name in _CACHE_HEADERS)
    date = http_date(headers.get("date"))
    if date is not None and abs(date - received) > _FARTHEST:
        date = None
    stated = _MAX_AGE.search(headers.get("cache-control", ""))
    expires_in = max(float(stated[1]) - (age or 0.0), 0.0) if cached and stated else None
    if not cached:
        return Freshness(date or received, cached, date, expires_in)
    as_of = received - timedelta(seconds=age or 0.0)
    return Freshness(as_of if date is None else min(date, as_of), cached, date, expires_in)


def _age_s(headers: Mapping[str, str]) -> float | None:
    """Seconds; several ages, of a chain of caches that were joined, count as the oldest. None where there is none."""
    ages = [float(part) for value in headers.get("age", "").split(",") if _SECONDS.fullmatch(part := value.strip())]
    return max(ages, default=None)

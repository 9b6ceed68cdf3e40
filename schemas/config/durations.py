"""Durations as people write them: `250ms`, `90s`, `5m`, `2h`, `14d`. A bare number is refused: of what?"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_PATTERN = r"(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)"
_FORM = re.compile(_PATTERN, re.ASCII)
_LONGEST = timedelta(days=3650)
"""Ten years: beyond it a duration is a slip, and arithmetic on dates would overflow."""


def parse_duration(value: object) -> timedelta:
    """`5m` as a timedelta. Raises ValueError that shows the form (not the value, which may be nobody's business)."""
    if isinstance(value, timedelta):
        return value
    match = _FORM.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not a duration: write a number and a unit, as 250ms, 90s, 5m, 2h or 14d")
    number = float(match[1]) if "." in match[1] else int(match[1])
    unit = _UNITS[match[2]]
    if number > _LONGEST / unit:
        raise ValueError("too long for a duration: ten years (3650d) is the limit")
    return number * unit


def format_duration(value: timedelta) -> str:
    """The shortest form that parses back to the same, to the millisecond: 300 s is `5m`."""
    milliseconds = round(value / timedelta(milliseconds=1))
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(timedelta(milliseconds=milliseconds), _UNITS[unit])
        if count and not rest:
            return f"{count}{unit}"
    return f"{milliseconds}ms"


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


def parse_since(value: object) -> timedelta | datetime:
    """A duration back from now, or a time (ISO 8601, UTC when it names no zone). Raises ValueError that shows both forms."""
    if isinstance(value, timedelta | datetime):
        return value
    try:
        return parse_duration(value)
    except ValueError:
        pass
    try:
        return parse_moment(value)
    except ValueError:
        raise ValueError("neither a duration nor a time: write 24h, or 2025-01-21T04:46:31Z") from None


def parse_moment(value: object) -> datetime:
    """A time (ISO 8601, UTC when it names no zone). Raises ValueError that shows the form."""
    moment = value if isinstance(value, datetime) else None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else moment
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError("not a time: write 2026-12-01, or 2026-12-01T18:00Z")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _format_since(value: timedelta | datetime) -> str:
    return format_duration(value) if isinstance(value, timedelta) else value.isoformat().replace("+00:00", "Z")


_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$", "examples": ["90s", "5m", "2h"]})

Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str), _DURATION_SCHEMA
]
"""May be nothing: `0s`."""
Period = Annotated[Duration, AfterValidator(_positive), _DURATION_SCHEMA]
"""A duration between two things that repeat, or a limit: never nothing."""
Since = Annotated[
    timedelta | datetime,
    BeforeValidator(parse_since),
    PlainSerializer(_format_since, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["24h", "2025-01-21T04:46:31Z"]}),
]
"""Where a first start begins."""
Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    PlainSerializer(_format_since, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2026-12-01", "2026-12-01T18:00Z"]}),
]

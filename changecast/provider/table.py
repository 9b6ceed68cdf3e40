"""The feeds as a table for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from rich.console import Group, RenderableType
from rich.text import Text

from changecast.columns import Cell, Column, fitted
from changecast.deliveries.tables import printable
from changecast.provider.feeds import FeedView, Overview
from runtime.amounts import amount
from schemas.feed_status import FeedState, FeedStatus

_STATES = {
    FeedState.POLLING: ("polling", "green"),
    FeedState.CATCHING_UP: ("catching up", "yellow"),
    FeedState.WAITING: ("next poll", "green"),
    FeedState.RETRYING: ("waiting after an error", "yellow"),
    FeedState.REJECTED: ("credentials rejected", "red"),
    FeedState.STOPPED: ("not polled", "dim"),
}
_STATISTICS = {
    "sweep_age_s": "sweep {age} old",
    "listed": "{number} listed",
    "fresh": "{number} never asked",
    "failing": "{number} failing",
    "days_behind": "{days} to walk",
}
_ALWAYS = ("sweep_age_s", "listed")
"""Told when it is nought, too."""


_COLUMNS = (
    Column("feed"),
    Column("state"),
    Column("read up to (UTC)"),
    Column("behind", right=True),
    Column("last poll"),
    Column("requests", right=True),
    Column("new", right=True),
    Column("", wraps=True, least=24),
)
_SPARED = ("requests", "new", "last poll", "", "read up to (UTC)")
"""Left out first where the terminal is narrow; `--json` has all. How far behind a feed is stays."""


def rendered(overview: Overview, width: int) -> RenderableType:
    """The table, who polls, and the last errors in full."""
    now = overview.at
    table = fitted(_COLUMNS, [_row(feed, now) for feed in overview.feeds], width, _SPARED)
    lines = [Text(line) for line in (_who_polls(overview), *_unconfigured(overview))]
    errors = [line for feed in overview.feeds if (line := _last_error(feed, now)) is not None]
    parts: list[RenderableType] = [table, Text()] if overview.feeds else []
    return Group(*parts, *lines, *([Text(), *errors] if errors else []))


def _row(feed: FeedView, now: datetime) -> list[Cell]:
    status = feed.status
    return [
        feed.name,
        _state(feed, now),
        f"{feed.cursor.read_to.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        if feed.cursor
        else "unreadable"
        if feed.unreadable
        else "never",
        _maybe(feed.lag(now)),
        _ago(status.polled_at if status else None, now),
        f"{status.requests:,}" if status else "-",
        f"{status.events:,}" if status else "-",
        Text(", ".join(_statistics(status)) if status else "", style="dim"),
    ]


def duration(length: timedelta) -> str:
    """`4 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    seconds = int(length.total_seconds())
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def _state(feed: FeedView, now: datetime) -> Text:
    status = feed.status
    if status is None or not feed.polled(now):
        return Text("not polled", style="dim")
    word, style = _STATES[status.state]
    if status.until is None:
        return Text(word, style=style)
    wait = max(status.until - now, timedelta())
    return Text(
        f"{word} in {duration(wait)}" if status.state is FeedState.WAITING else f"{word}, {duration(wait)} more", style=style
    )


def _who_polls(overview: Overview) -> str:
    if overview.polled:
        others = overview.workers - 1
        return "One worker polls." if others < 1 else f"One worker polls, {others} stand{'s' if others == 1 else ''} by."
    start = "`changecast up` runs everything, `changecast worker producers` the polling alone."
    if (last := overview.last_seen) is None:
        return f"No worker has polled yet: {start}"
    return f"No worker polls: the last status is {duration(overview.at - last)} old. {start}"


def _unconfigured(overview: Overview) -> Iterator[str]:
    for provider in overview.unconfigured:
        yield f"{provider} is not configured: its credentials are not set."


def _last_error(feed: FeedView, now: datetime) -> Text | None:
    status = feed.status
    if status is None or status.error is None:
        return None
    over = status.error_at is not None and status.polled_at is not None and status.polled_at > status.error_at
    text = Text(f"{feed.name}, {_ago(status.error_at, now)}{', since passed' if over else ''}: {printable(status.error)}")
    if over:
        text.stylize("dim")
    return text


def _statistics(status: FeedStatus) -> Iterator[str]:
    for name, form in _STATISTICS.items():
        value = status.statistics.get(name)
        if value is not None and (value or name in _ALWAYS):
            yield form.format(age=duration(timedelta(seconds=value)), number=f"{value:,.0f}", days=amount(round(value), "day"))


def _ago(moment: datetime | None, now: datetime) -> str:
    return "never" if moment is None else f"{duration(max(now - moment, timedelta()))} ago"


def _maybe(length: timedelta | None) -> str:
    return "-" if length is None else duration(length)

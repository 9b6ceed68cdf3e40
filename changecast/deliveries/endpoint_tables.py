"""The endpoints as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Group, RenderableType
from rich.text import Text

from changecast.columns import Cell, Column, fitted
from changecast.deliveries.endpoints import EndpointView
from changecast.deliveries.tables import printable
from sinks.outage import disables_at
from sinks.wording import length_words

_STYLES = {"ok": "green", "failing": "yellow", "disabled": "red"}


_COLUMNS = (
    Column("subscription", cut=True),
    Column("kind"),
    Column("state"),
    Column("since (UTC)"),
    Column("sent", right=True),
    Column("failed", right=True),
    Column("given up", right=True),
    Column("waiting", right=True),
    Column("median", right=True),
)
_SPARED = ("since (UTC)", "kind", "median", "given up")
"""Left out first where the terminal is narrow. What was given up is in `changecast dead list` too."""


def endpoints_table(
    views: Sequence[EndpointView], now: datetime, disable_after: timedelta, grace: timedelta, width: int
) -> RenderableType:
    """One line an endpoint, with the last hour's counts. What is wrong stands in words below."""
    table = fitted(_COLUMNS, [_row(view) for view in views], width, _SPARED)
    trouble = [Text(line) for view in views for line in _trouble(view, now, disable_after, grace)]
    words = "sent, failed, given up: attempts of the last hour. waiting: deliveries that wait now for their next attempt."
    lines = [Text(), Text(words, style="dim")]
    return Group(table, *lines, *([Text(), *trouble] if trouble else []))


def _row(view: EndpointView) -> list[Cell]:
    counts, word = view.counts, view.word()
    return [
        view.name,
        view.kind or "-",
        Text(word, style=_STYLES.get(word, "dim")),
        f"{view.state.since.astimezone(UTC):%Y-%m-%d %H:%M}" if view.state else "-",
        _number(counts.delivered),
        _number(counts.retried, "yellow"),
        _number(counts.dead, "red"),
        "-" if view.waiting is None else _number(view.waiting, "yellow"),
        "-" if counts.median_ms is None else f"{counts.median_ms:,.0f} ms",
    ]


def _trouble(view: EndpointView, now: datetime, disable_after: timedelta, grace: timedelta) -> Iterator[str]:
    state = view.state
    if state is not None and state.removed_at is not None:
        yield _removed(view.name, state.removed_at, now, grace)
    if state is None or view.kind is None:
        return
    if state.disabled_at is not None:
        since = f"{state.disabled_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        reason = printable(state.disabled_reason or "no reason given")
        yield f"{view.name} is disabled since {since}: {reason}. `changecast endpoints enable {view.name}` brings it back."
    elif state.failing_since is not None:
        left = max((disables_at(state, disable_after) or now) - now, timedelta())
        error = f": {printable(view.counts.last_error)}" if view.counts.last_error else ""
        yield f"{view.name} has failed for {length_words(now - state.failing_since)}{error}. It is disabled in {length_words(left)}."
    elif view.counts.failing:
        yield f"{view.name}: the last attempt failed: {printable(view.counts.last_error or 'no reason given')}"


def _removed(name: str, removed_at: datetime, now: datetime, grace: timedelta) -> str:
    since = f"{name} is in no sinks worker's config since {removed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if now - removed_at >= grace:
        return f"{since}; nothing of it is kept. `changecast endpoints forget {name}` takes it off this list."
    left = length_words(removed_at + grace - now)
    return (
        f"{since}. Its retries and its place are kept for {left} more, in case it comes back; "
        f"`changecast endpoints forget {name}` drops them."
    )


def _number(count: int, style: str = "") -> Text:
    return Text(f"{count:,}", style=style if count else "dim")

"""What filters match, as tables for people and as a document for programs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from changecast.columns import Cell, Column, fitted
from changecast.deliveries.matching import Matched, Matches, Seen
from changecast.deliveries.tables import printable
from runtime.amounts import amount

_SUMMARY = (
    Column("subscription", cut=True),
    Column("matches", right=True),
    Column("share", right=True),
    Column("the last one", wraps=True, least=24),
)
_EVENTS = (
    Column("published (UTC)"),
    Column("urn"),
    Column("entity", wraps=True),
    Column("what", wraps=True),
    Column("id"),
)


def summary_table(found: Matches, width: int) -> RenderableType:
    """One line a subscription, in a terminal of this width."""
    rows: list[list[Cell]] = []
    failures = []
    for one in found.of:
        share = f"{one.count / found.events:.1%}" if found.events else "-"
        last = one.last[-1] if one.last else None
        words = "-" if last is None else f"{last.at:%m-%d %H:%M:%S}  {printable(last.event.name)}  {printable(last.event.change)}"
        rows.append([one.subscription, Text(f"{one.count:,}", style="" if one.count else "yellow"), share, words])
        if one.failed:
            failure = f"{one.subscription}: its `when` failed on {amount(one.failed, 'event')}: {one.failure}"
            failures.append(Text(failure, style="red"))
    return Group(fitted(_SUMMARY, rows, width, ("share",)), Text(), *failures)


def events_table(matched: Matched, width: int, *, whole: bool) -> RenderableType:
    """The last events that one subscription matches, oldest first."""
    return (
        Group(seen_table(matched.last, width, whole=whole), Text()) if matched.count else Text("Nothing matches.", style="yellow")
    )


def seen_table(seen: Iterable[Seen], width: int, *, whole: bool) -> Table:
    """One line an event. `whole`: with its id, for who reads it by a program."""
    columns = _EVENTS if whole else _EVENTS[:-1]
    rows = [
        [
            printable(text)
            for text in (f"{one.at:%m-%d %H:%M:%S}", one.event.subject, one.event.name, one.event.change, one.event.id)
        ]
        for one in seen
    ]
    return fitted(columns, rows, width, ("urn", "published (UTC)"))


def as_document(found: Matches) -> dict[str, Any]:
    return {
        "events": found.events,
        "unreadable": found.unreadable,
        "subscriptions": [
            {
                "subscription": one.subscription,
                "matches": one.count,
                "when_failed": one.failed,
                "when_error": one.failure,
                "newest": [
                    {"id": seen.event.id, "subject": seen.event.subject, "published": seen.at.astimezone(UTC)}
                    for seen in one.last
                ],
            }
            for one in found.of
        ],
    }

"""What filters match, as tables for people and as a document for programs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from changecast.deliveries.matching import Matched, Matches, Seen
from changecast.deliveries.tables import printable
from runtime.amounts import amount


def summary_table(found: Matches) -> RenderableType:
    """One line a subscription."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("subscription", no_wrap=True)
    table.add_column("matches", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("the last one", overflow="fold")
    failures = []
    for one in found.of:
        share = f"{one.count / found.events:.1%}" if found.events else "-"
        last = one.last[-1] if one.last else None
        words = "-" if last is None else f"{last.at:%m-%d %H:%M:%S}  {printable(last.event.name)}  {printable(last.event.change)}"
        table.add_row(one.subscription, Text(f"{one.count:,}", style="" if one.count else "yellow"), share, words)
        if one.failed:
            failures.append(
                Text(f"{one.subscription}: its `when` failed on {amount(one.failed, 'event')}: {one.failure}", style="red")
            )
    return Group(table, Text(), *failures)


def events_table(matched: Matched, *, wide: bool) -> RenderableType:
    """The last events that one subscription matches, oldest first."""
    return Group(seen_table(matched.last, wide=wide), Text()) if matched.count else Text("Nothing matches.", style="yellow")


def seen_table(seen: Iterable[Seen], *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("published (UTC)", "urn", "entity", "what", *(("id",) if wide else ())):
        table.add_column(column, no_wrap=column in ("published (UTC)", "urn"), overflow="fold")
    for one in seen:
        event = one.event
        cells = [f"{one.at:%m-%d %H:%M:%S}", event.subject, event.name, event.change, *((event.id,) if wide else ())]
        table.add_row(*map(printable, cells))
    return table


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

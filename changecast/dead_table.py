"""Dead records as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from rich.table import Table

from changecast.dead import Dead
from changecast.deliveries.tables import printable


def dead_table(records: Sequence[Dead], width: int) -> Table:
    """One line a record."""
    del width
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("record", "when (UTC)"):
        table.add_column(column, no_wrap=True, min_width=max(len(column), *(len(dead.place) for dead in records)))
    for column in ("reason", "from", "about", "error"):
        table.add_column(column, overflow="fold")
    for dead in records:
        about = dead.subject if dead.subscription is None else f"{dead.subject} to {dead.subscription}"
        cells = (dead.place, f"{dead.at.astimezone(UTC):%m-%d %H:%M:%S}", dead.reason, dead.origin, about, dead.error)
        table.add_row(*map(printable, cells))
    return table

"""Dead records as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from rich.table import Table

from changecast.columns import Column, fitted
from changecast.dead import Dead
from changecast.deliveries.tables import printable

_COLUMNS = (
    Column("record"),
    Column("when (UTC)"),
    Column("reason"),
    Column("from", cut=True, least=20),
    Column("about", cut=True),
    Column("to", cut=True),
    Column("error", wraps=True, least=20),
)
_SPARED = ("from", "when (UTC)", "reason", "to")
"""`show` tells them too; the error says in words what the reason says in one."""


def dead_table(records: Sequence[Dead], width: int) -> Table:
    """One line a record, in a terminal of this width."""
    columns = [column for column in _COLUMNS if column.name != "to" or any(dead.subscription for dead in records)]
    rows = [_row(dead) for dead in records]
    return fitted(columns, [[row[column.name] for column in columns] for row in rows], width, _SPARED)


def _row(dead: Dead) -> dict[str, str]:
    return {
        "record": dead.place,
        "when (UTC)": f"{dead.at.astimezone(UTC):%m-%d %H:%M:%S}",
        "reason": printable(dead.reason),
        "from": printable(dead.origin),
        "about": printable(dead.subject),
        "to": printable(dead.subscription or "-"),
        "error": printable(dead.error),
    }

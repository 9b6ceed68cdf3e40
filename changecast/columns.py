"""Tables that fit a terminal: what matters least is left out first, long names are cut, sentences go on in the next line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

_GAP = 2
LEAST = 16
"""What a name may be cut to and still be told from others, and where a sentence is still read as one."""

Cell = str | Text


@dataclass(frozen=True)
class Column:
    """`wraps`: a sentence, which may take several lines. `cut`: a name, which may lose its end. `least`: how narrow either may become.
    Others are as wide as what stands in them."""

    name: str
    right: bool = False
    wraps: bool = False
    cut: bool = False
    least: int = LEAST


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int, spared: Sequence[str] = ()) -> Table:
    """A table of no more than `width` columns of a terminal. `spared`: which are left out where they don't fit, the first one first."""
    whole = {column.name: max(map(cell_len, _lines(number, column, rows))) for number, column in enumerate(columns)}
    least = {column.name: min(whole[column.name], column.least) if _gives(column) else whole[column.name] for column in columns}
    widths = shared_out(least, whole, width, spared)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        if column.name in widths:
            table.add_column(
                column.name,
                width=widths[column.name],
                justify="right" if column.right else "left",
                no_wrap=not column.wraps,
                overflow="fold" if column.wraps else "ellipsis",
            )
    kept = [number for number, column in enumerate(columns) if column.name in widths]
    for row in rows:
        table.add_row(*(row[number] for number in kept))
    return table


def _lines(number: int, column: Column, rows: Sequence[Sequence[Cell]]) -> list[str]:
    cells = (row[number] for row in rows)
    return [column.name, *(cell.plain if isinstance(cell, Text) else cell for cell in cells)]


def _gives(column: Column) -> bool:
    return column.wraps or column.cut


def _sum(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def shared_out(least: Mapping[str, int], whole: Mapping[str, int], width: int, spared: Sequence[str] = ()) -> dict[str, int]:
    """The columns that fit, and how wide each is. `least`: what each needs; `whole`: what it could use. What is left of the width goes
    to those that could use it: as much to each, but to none more than that."""
    widths = dict(least)
    for name in spared:
        if _sum(widths) > width:
            del widths[name]
    left = max(width - _sum(widths), 0)
    wanting = sorted(widths, key=lambda name: whole[name] - least[name])
    for place, name in enumerate(wanting):
        given = min(whole[name] - least[name], left // (len(wanting) - place))
        widths[name] += given
        left -= given
    return widths

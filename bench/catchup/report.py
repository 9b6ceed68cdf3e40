"""What catching up took, as a table on the terminal and as a section of the results in Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bench.report import Row, machine
from bench.section import put_section

if TYPE_CHECKING:
    from bench.catchup import Measured, Size

_TITLE = "# Catching up, measured"
_MIB = 1024 * 1024
_MOST_MIB = 200
_MEANWHILE = "meanwhile"


def rows(measured: Measured, size: Size) -> list[Row]:
    """What was measured, the number, the goal, and whether it was met."""
    peak = measured.peak_bytes / _MIB
    longest, most = max(measured.waits, default=float("inf")), 2 * size.interval_s
    found: list[Row] = [
        ("changes pending, and read", f"{size.changes:,}, {measured.read:,}", "all", _met(measured.read == size.changes)),
        ("memory of the worker at most", f"{peak:,.0f} MiB", f"≤ {_MOST_MIB} MiB", _met(peak <= _MOST_MIB)),
        ("the same before the first request", f"{measured.start_bytes / _MIB:,.0f} MiB", "", ""),
    ]
    for provider, asked in measured.asked.items():
        met = _met(asked.peak <= size.polling_rate)
        found.append((f"requests in any second, {provider}, at most", f"{asked.peak}", f"≤ {size.polling_rate:g}", met))
    found += [
        (
            f"{provider}: requests in all, and until the end of the outage was reached",
            f"{asked.requests:,}, {asked.took_s:,.0f} s",
            "",
            "",
        )
        for provider, asked in measured.asked.items()
    ]
    median = sorted(measured.waits)[len(measured.waits) // 2] if measured.waits else longest
    found.append(
        (
            f"{_MEANWHILE}: a new change of TMDB, from its listing to its event, median / longest of {len(measured.waits)}",
            f"{median:.1f} / {longest:.1f} s",
            f"≤ {most:g} s",
            _met(longest <= most),
        )
    )
    return found


def written(measured: Measured, size: Size, console: Console, results: Path | None) -> bool:
    """Show the table, and write the section to the file where one is given. Whether the goals were met that hold on any machine,
    however busy: all but the waits."""
    found = rows(measured, size)
    table = Table("what", "measured", "goal", "met", title="Catching up")
    for row in found:
        table.add_row(*row)
    console.print(table)
    console.print(machine(), highlight=False)
    if results is not None:
        put_section(results, markdown(found, size))
        console.print(f"written to {results.parent.name}/{results.name}", highlight=False)
    return all(met != _met(False) for what, *_, met in found if not what.startswith(_MEANWHILE))


def markdown(found: list[Row], size: Size) -> str:
    lines = ["| what | measured | goal | met |", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in found)]
    return (
        f"{_TITLE}\n\n"
        f"`make bench PART=catchup`, {machine()}, shared by the provider, the broker and the worker. Nobody polled for three days; then "
        f"`changecast worker producers` starts, with cursors that old. Pending are {size.entities:,} movies and as many series of TMDB "
        f"with {size.items} changes each, and {size.entries:,} entries of PBS's changelog. Both are answered from memory by one other "
        f"process, which also counts the requests. The interval is {size.interval_s:g} s, and `rate` is {size.rate:g} at each, of which "
        f"polling has {size.polling_rate:g}: more than real ones allow, so that it ends in minutes. A movie that has just changed is "
        "listed every second, before the others as in recorded lists, and may wait for one interval as ever and for one more.\n\n"
        + "\n".join(lines)
        + "\n"
    )


def _met(yes: bool) -> str:
    return "yes" if yes else "no"

"""Results as a table on the terminal and as a section of the results file, with the kind of machine and what was hoped for."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.section import put_section
from changecast.kafka.lock import KAFKA_VERSION

Row = tuple[str, str, str, str]
"""What was measured, the number, the goal, and whether it was met."""

_HEAD = ("what", "measured", "goal", "met")


def written(part: str, rows: Sequence[Row], words: str, console: Console, results: Path | None) -> None:
    """Show the table, and write the section of `part` to the file where one is given. `words`: what was done, in Markdown."""
    table = Table(*_HEAD, title=part)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(machine(), highlight=False)
    if results is not None:
        put_section(results, section(part, rows, words))
        console.print(f"written to {results.parent.name}/{results.name}", highlight=False)


def section(part: str, rows: Sequence[Row], words: str) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (_HEAD, *rows)]
    lines.insert(1, "|---" * len(_HEAD) + "|")
    return f"# {part}, measured\n\n{words}\n\n" + "\n".join(lines) + "\n"


def machine() -> str:
    memory = psutil.virtual_memory().total / 1024**3
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, Kafka {KAFKA_VERSION}"
    )


def met(yes: bool) -> str:
    return "yes" if yes else "no"

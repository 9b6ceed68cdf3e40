"""What a run shows: one line while it goes on, a table and what was found at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tests.chaos.plan import Kind
from tests.chaos.stage import Stage

_TOLD_EVERY_S = 10.0
"""Where the line can't be written over."""
_SHOWN = 20

Row = tuple[str, str]


class Verdict(Protocol):
    """What was found wrong, by the word for it; all empty where the guarantees held."""

    @property
    def good(self) -> bool: ...

    def told(self) -> dict[str, list[str]]: ...


@asynccontextmanager
async def showing(console: Console, stage: Stage, line: Callable[[], str]):  # type: ignore[no-untyped-def]
    task = asyncio.create_task(_show(console, stage, line))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _show(console: Console, stage: Stage, line: Callable[[], str]) -> None:
    with Live(console=console, refresh_per_second=2, transient=True) as live:
        told = 0.0
        while True:
            text = f"{timedelta(seconds=int(time.monotonic() - stage.began))}  {line()}  {stage.progress.doing}"
            live.update(text)
            if not console.is_terminal and time.monotonic() - told > _TOLD_EVERY_S:
                told = time.monotonic()
                console.print(text, highlight=False)
            await asyncio.sleep(0.5)


def report(console: Console, title: str, rows: Iterable[Row], verdict: Verdict, problems: Iterable[str]) -> None:
    table = Table(title=title, show_header=False)
    for row in rows:
        table.add_row(*row)
    for name, found in verdict.told().items():
        table.add_row(name, str(len(found)))
    console.print(table)
    for name, found in verdict.told().items():
        for text in found[:_SHOWN]:
            console.print(f"{name}: {text}", highlight=False, markup=False)
    for problem in problems:
        console.print(f"problem: {problem}", highlight=False, markup=False)


def faults_of(stage: Stage) -> Iterator[Row]:
    """What the workers and the broker went through."""
    progress = stage.progress
    yield from ((kind.value, str(progress.faults[kind])) for kind in Kind if progress.faults[kind])
    for worker in stage.workers:
        for code, count in sorted(worker.ended_itself.items()):
            yield f"{worker.name} ended by itself (exit {code})", str(count)
    yield "slowest recovery", f"{progress.slowest_recovery_s:.0f} s"
    yield "slowest orderly stop", f"{progress.slowest_stop_s:.0f} s"
    yield "seconds", f"{time.monotonic() - stage.began:.0f}"

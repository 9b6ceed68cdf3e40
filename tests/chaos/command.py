"""The command line of a run: how many kills, how much is written, the seed, and where what is left behind stays."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console

from tests.chaos.plan import Fault, Odds, plan
from tests.chaos.report import Row, Verdict, report
from tests.chaos.stage import Stage


@dataclass(frozen=True)
class Order:
    """`size`: how much is written at least. `folder`: for the broker, disks and logs."""

    folder: Path
    size: int
    faults: list[Fault]
    seed: int
    console: Console


class Chaos(Protocol):
    """One run."""

    stage: Stage

    async def run(self) -> Verdict: ...

    def rows(self) -> list[Row]:
        """What went in, what was suffered, what came out."""


class Maker(Protocol):
    def __call__(self, order: Order) -> Chaos: ...


def main(part: str, make: Maker, odds: Odds, *, sized: str, for_each_kill: int) -> int:
    """`sized`: what is written, which names its option."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.chaos.{part}", description=f"The {part} under chaos.")
    parser.add_argument(
        "--kills", type=int, default=50, help="kill -9 of workers and broker; a third as many other faults come on top"
    )
    parser.add_argument(f"--{sized}", type=int, dest="size", help=f"at least so many [default: {for_each_kill:,} for each kill]")
    parser.add_argument("--seed", type=int, help="draws the plan and what is written; the same seed draws the same again")
    parser.add_argument("--keep", type=Path, help="keep broker, disks and logs in this folder")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(100_000)
    faults = plan(options.kills, seed, odds)
    size = options.size or for_each_kill * options.kills
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # each kill of the broker makes hundreds of lines
    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(f"{size:,} {sized}, {len(faults)} faults, {options.kills} of them kill -9; seed {seed}", highlight=False)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="changecast-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    good = asyncio.run(_run(part, make, Order(folder.resolve(), size, faults, seed, console)))
    if good and not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    elif not good:
        console.print(f"broker, disks and logs: {folder}", highlight=False)
    return 0 if good else 1


async def _run(part: str, make: Maker, order: Order) -> bool:
    chaos = make(order)
    verdict = await chaos.run()
    problems = chaos.stage.progress.problems
    report(order.console, f"{part.capitalize()} under chaos, seed {order.seed}", chaos.rows(), verdict, problems)
    return verdict.good and not problems

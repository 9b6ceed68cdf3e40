"""The stream of edits: people at work on the catalogues, at a steady average rate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from changecast.sandbox.catalogue import Catalogue
from changecast.sandbox.edit import EditError

MOST_BETWEEN = 4
"""No wait between two edits is longer than this many times the average, so that a watcher is not left waiting."""


class EditStream:
    """Makes edits while it runs. `per_minute`: the average rate; 0 makes none. It may be changed at any time."""

    def __init__(self, catalogue: Catalogue, *, per_minute: float, seed: int, report: Callable[[str], None]) -> None:
        self._catalogue = catalogue
        self._seed = seed
        self._report = report
        self._per_minute = per_minute
        self._changed = asyncio.Event()

    @property
    def per_minute(self) -> float:
        return self._per_minute

    @per_minute.setter
    def per_minute(self, rate: float) -> None:
        self._per_minute = rate
        self._changed.set()

    async def run(self) -> None:
        while True:
            self._changed.clear()
            wait = next_wait(self._seed, self._catalogue.edits, self._per_minute)
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                self._edit()

    def _edit(self) -> None:
        try:
            self._catalogue.edit()
        except EditError as error:
            self._report(str(error))


def next_wait(seed: int, edits: int, per_minute: float) -> float | None:
    """Seconds until the next edit after this many; None when there shall be none. Exponential, as people come."""
    if per_minute <= 0:
        return None
    average = 60 / per_minute
    return min(Random(f"wait:{seed}:{edits}").expovariate(1 / average), MOST_BETWEEN * average)

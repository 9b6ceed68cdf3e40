"""Events into the raw topics as the producers write them: page by page in transactions, with repeats, and over a broker that goes away."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from runtime.kafka import Cluster
from schemas.event import ObservedEvent
from tests.chaos.pages import ABORTED, Pages

_RECENT = 400
"""Events that a poll's overlap brings again."""
_REPEATED = 0.5
"""Repeats for each new event."""


class Writer:
    """One provider's writer. `order`: the ids of each subject, as they were first written. Faust reads aborted pages too."""

    def __init__(self, cluster: Cluster, provider: str, seed: int) -> None:
        self._pages = Pages(cluster, cluster.topics.raw(provider).name, f"history-{provider}")
        self._random = Random(f"writer:{provider}:{seed}")
        self._recent: list[ObservedEvent] = []
        self.order: dict[str, list[str]] = {}
        self._known: set[str] = set()
        self.repeats = 0
        self.aborted = 0

    async def write(self, events: Sequence[ObservedEvent]) -> int:
        """Write a page, again and again until it is committed; returns how many of the events were new."""
        new = [event for event in {event.id: event for event in events}.values() if event.id not in self._known]
        repeats = self._random.sample(self._recent, min(len(self._recent), int(len(new) * _REPEATED)))
        page = [*new]
        for repeat in repeats:
            page.insert(self._random.randint(0, len(page)), repeat)
        self.repeats += len(repeats)
        abort = self._random.random() < ABORTED
        while not await self._pages.write([(event.subject.encode(), event.to_json(), []) for event in page], abort=abort):
            abort = False
            self.aborted += 1
        for event in new:
            self._known.add(event.id)
            self.order.setdefault(event.subject, []).append(event.id)
        self._recent = [*self._recent, *new][-_RECENT:]
        return len(new)

    async def close(self) -> None:
        await self._pages.close()

"""Events into the topics of changes, as the streams write them: page by page in transactions, some of them aborted."""

from __future__ import annotations

from random import Random

from runtime.kafka import Cluster
from schemas.event import Change, ChangeEvent
from tests.chaos.pages import ABORTED, Pages
from tests.chaos.sinks.endpoints import KEYS, PROVIDERS
from tests.sinks.worlds import change_event

_ENTITIES = 40
"""Of each provider: few enough that order is at stake."""


class Writer:
    """A page is written once. One in doubt may be there or not: what was accepted is what stands in the topics at the end."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._random = Random(f"writer:{seed}")
        self._pages = {name: Pages(cluster, cluster.topics.changes(name).name, f"writer-{name}") for name in PROVIDERS}
        self._number = 0
        self.not_committed = 0

    async def write(self, count: int) -> None:
        """So many events, to providers and entities as they come."""
        events: dict[str, list[ChangeEvent]] = {}
        for _ in range(count):
            self._number += 1
            provider = self._random.choice(PROVIDERS)
            key = self._random.choices([*KEYS], [*KEYS.values()])[0]
            entity = f"{self._random.randrange(_ENTITIES)}"
            change = Change(key=key, action="updated", language="en")
            events.setdefault(provider, []).append(
                change_event(self._number, provider=provider, entity_id=entity, changes=[change])
            )
        for provider, of_provider in events.items():
            page = [(event.subject.encode(), event.to_json(), event.kafka_headers()) for event in of_provider]
            if not await self._pages[provider].write(page, abort=self._random.random() < ABORTED):
                self.not_committed += 1

    async def close(self) -> None:
        for pages in self._pages.values():
            await pages.close()

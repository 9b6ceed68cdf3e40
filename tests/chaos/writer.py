"""Events into the raw topics as the producers write them: page by page in transactions, with repeats, and over a broker that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runtime.kafka import Cluster
from schemas.event import ObservedEvent

PAGE_WITHIN_S = 30.0
_RECENT = 400
"""Events that a poll's overlap brings again."""
_REPEATED = 0.5
"""Repeats for each new event."""
_ABORTED = 0.05
"""Share of the pages whose transaction is aborted and begun anew, as at a kill of the producers: Faust reads those too."""
_AGAIN_S = 0.3


class Writer:
    """One provider's writer. `order`: the ids of each subject, as they were first written."""

    def __init__(self, cluster: Cluster, provider: str, seed: int) -> None:
        self._cluster = cluster
        self._provider = provider
        self._random = Random(f"writer:{provider}:{seed}")
        self._producer: AIOKafkaProducer | None = None
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
        abort = self._random.random() < _ABORTED
        while not await self._written(page, abort=abort):
            abort = False
            self.aborted += 1
        for event in new:
            self._known.add(event.id)
            self.order.setdefault(event.subject, []).append(event.id)
        self._recent = [*self._recent, *new][-_RECENT:]
        return len(new)

    async def close(self) -> None:
        if self._producer is not None:
            with suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(self._producer.stop(), 10)

    async def _written(self, page: Sequence[ObservedEvent], *, abort: bool) -> bool:
        try:
            async with asyncio.timeout(PAGE_WITHIN_S):
                producer = await self._started()
                await producer.begin_transaction()
                topic = self._cluster.topics.raw(self._provider).name
                sent = [await producer.send(topic, event.to_json(), key=event.subject.encode()) for event in page]
                await asyncio.gather(*sent)
                if abort:
                    await producer.abort_transaction()
                else:
                    await producer.commit_transaction()
        except (KafkaError, TimeoutError):
            # in doubt: a new producer of the same id settles the transaction, and the page is written again
            left, self._producer = self._producer, None
            if left is not None:
                with suppress(TimeoutError, KafkaError):
                    await asyncio.wait_for(left.stop(), 5)
            await asyncio.sleep(_AGAIN_S)
            return False
        return not abort

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = self._cluster.transactional_producer(f"{self._cluster.topics.prefix}-history-{self._provider}")
            await producer.start()
            self._producer = producer
        return self._producer

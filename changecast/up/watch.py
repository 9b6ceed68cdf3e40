"""Reads what the live view shows: the changes and the deliveries, from the moment that it starts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from changecast.up.view import Row, attempt_row, change_row
from runtime.amounts import amount
from runtime.kafka import Cluster
from schemas.delivery import Attempt, Outcome
from schemas.event import ChangeEvent
from schemas.topics import Topic

log = logging.getLogger(__name__)

_POLL_MS = 250
_BATCH = 500
_PAUSE_S = 1.0


@dataclass
class Counts:
    """What has been seen since the start."""

    changes: int = 0
    unchanged: int = 0
    delivered: int = 0
    retried: int = 0
    dead: int = 0

    def words(self) -> str:
        parts = [amount(self.changes, "change")]
        parts += [f"{amount(self.unchanged, 'update')} that changed nothing"] if self.unchanged else []
        parts += [f"{self.delivered} delivered"]
        parts += [f"{self.retried} to be tried again"] if self.retried else []
        parts += [f"{self.dead} given up"] if self.dead else []
        return " · ".join(parts)


class Watcher:
    """A consumer of its own, in no group: looking disturbs nobody."""

    def __init__(self, cluster: Cluster, providers: Iterable[str], show: Callable[[Row], None]) -> None:
        topics = cluster.topics
        self._deliveries = topics.deliveries.name
        self._topics = [topics.deliveries, *(topics.changes(provider) for provider in providers)]
        self._cluster = cluster
        self._show = show
        self._consumer: AIOKafkaConsumer | None = None
        self._reading = asyncio.Lock()
        self.counts = Counts()

    async def start(self) -> None:
        """Stand at the end of every topic; they must exist. What is written from here on is shown."""
        self._consumer = self._cluster.consumer(group_id=None)
        await self._consumer.start()
        await self._stand(self._topics, {})

    async def add(self, providers: Iterable[str]) -> None:
        """Show these providers' changes too, from here on; their topics must exist. Those shown already go on where they are."""
        assert self._consumer is not None
        new = [topic for topic in map(self._cluster.topics.changes, providers) if topic not in self._topics]
        if not new:
            return
        async with self._reading:
            positions = {partition: await self._consumer.position(partition) for partition in self._consumer.assignment()}
            await self._stand([*self._topics, *new], positions)

    async def _stand(self, topics: list[Topic], positions: Mapping[TopicPartition, int]) -> None:
        """In these topics, at these positions, and at the end of all other partitions."""
        assert self._consumer is not None
        partitions = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
        ends = await self._consumer.end_offsets(partitions)
        self._consumer.assign(partitions)
        for partition, position in {**ends, **positions}.items():
            self._consumer.seek(partition, position)
        self._topics = topics

    async def run(self, after_batch: Callable[[Counts], None]) -> None:
        """Show rows until cancelled. A broker that is away for a while is waited for."""
        assert self._consumer is not None
        while True:
            try:
                async with self._reading:
                    batches = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_BATCH)
            except KafkaError as error:
                log.info("the live view can't read just now: %s", error)
                await asyncio.sleep(_PAUSE_S)
                continue
            records = [record for batch in batches.values() for record in batch]
            for record in sorted(records, key=lambda record: record.timestamp):
                if (row := self._row(record)) is not None:
                    self._show(row)
            if records:
                after_batch(self.counts)

    async def stop(self) -> None:
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None

    def _row(self, record: ConsumerRecord) -> Row | None:
        """None for an event in which nothing differs: an update that changed nothing is counted, and no line."""
        at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        try:
            if record.topic == self._deliveries:
                attempt = Attempt.model_validate_json(record.value)
                self._count(attempt.outcome)
                return attempt_row(attempt)
            event = ChangeEvent.model_validate_json(record.value)
        except ValidationError as error:
            where = f"{record.topic}, partition {record.partition}, offset {record.offset}"
            return Row(
                at,
                "?",
                where,
                f"not of a form that this version reads ({amount(error.error_count(), 'error')})",
                text_style="red",
            )
        if not event.data.changes:
            self.counts.unchanged += 1
            return None
        self.counts.changes += 1
        return change_row(event, at)

    def _count(self, outcome: Outcome) -> None:
        match outcome:
            case Outcome.DELIVERED:
                self.counts.delivered += 1
            case Outcome.RETRY:
                self.counts.retried += 1
            case _:
                self.counts.dead += 1

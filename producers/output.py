"""A feed's events and what of them could not be read, into Kafka: each call is one transaction, so a kill leaves all of it or nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from producers.interface import BrokenItem
from runtime.kafka import Cluster
from schemas import dead
from schemas.cursor import Cursor
from schemas.event import ObservedEvent
from schemas.topics import MAX_RECORD_BYTES

log = logging.getLogger(__name__)

MAX_VALUE_BYTES = MAX_RECORD_BYTES - 64 * 1024
"""Room for a record's key and headers beside its value."""


def too_large(event: ObservedEvent) -> BrokenItem | None:
    """The event as a broken item, when no record can hold it."""
    value = event.to_json()
    return _too_large(event, value) if len(value) > MAX_VALUE_BYTES else None


def _too_large(event: ObservedEvent, value: bytes) -> BrokenItem:
    return BrokenItem("too-large", f"{event.id} has {len(value)} bytes", value, event.time, event.id)


class FeedOutput:
    """Its start fences any other output of the same `transactional_id`, and settles what that one left open."""

    def __init__(self, cluster: Cluster, provider: str, feed: str, transactional_id: str) -> None:
        self._topics = cluster.topics
        self._raw = cluster.topics.raw(provider).name
        self._origin = f"{provider}:{feed}"
        self._producer: AIOKafkaProducer = cluster.transactional_producer(transactional_id)

    async def __aenter__(self) -> Self:
        try:
            await self._producer.start()
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def write(
        self,
        events: Sequence[ObservedEvent],
        broken: Sequence[BrokenItem] = (),
        cursor: Cursor | None = None,
        marks: Mapping[bytes, bytes | None] = MappingProxyType({}),
    ) -> None:
        """All of it or nothing. `marks`: other records of the topic of cursors, None deletes one.

        Raises KafkaError; ProducerFenced where another has taken over.
        """
        async with self._producer.transaction():
            sent = [await self._send_event(event) for event in events]
            sent += [await self._send_broken(item) for item in broken]
            if cursor is not None:
                sent.append(await self._producer.send(self._topics.cursors.name, cursor.to_json(), key=cursor.key))
            for key, value in marks.items():
                sent.append(await self._producer.send(self._topics.cursors.name, value, key=key))
            await asyncio.gather(*sent)

    async def _send_event(self, event: ObservedEvent) -> Awaitable[Any]:
        value = event.to_json()
        if len(value) > MAX_VALUE_BYTES:
            return await self._send_broken(_too_large(event, value))
        return await self._send(self._raw, value, event.subject.encode(), event.kafka_headers())

    async def _send_broken(self, item: BrokenItem) -> Awaitable[Any]:
        error, body = item.error, item.body
        if len(body) > MAX_VALUE_BYTES:
            error, body = f"{error} (cut: these are the first of {len(body)} bytes)", body[:MAX_VALUE_BYTES]
        log.warning("%s: %s; it is kept in %s", self._origin, error, self._topics.dead.name)
        headers = dead.headers(reason=item.reason, error=error, topic=self._origin)
        return await self._send(self._topics.dead.name, body, self._origin.encode(), headers)

    async def _send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> Awaitable[Any]:
        acknowledged: Awaitable[Any] = await self._producer.send(topic, value, key=key, headers=headers)
        return acknowledged

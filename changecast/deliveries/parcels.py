"""Deliveries that an operator sets going: handed to the sinks workers as records of their retry topics, which they take as any retry.

So they need nobody here while they are delivered, survive every kill, obey the endpoint's limits, and go after live traffic: an endpoint
takes a retry when no first attempt waits (but for a small share). They count attempts from one, with the whole schedule before them.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer, ConsumerRecord

from changecast.deliveries.span import Report, Span, read_span
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from schemas import dead
from schemas.delivery import Outcome
from sinks.event import UnreadableEvent, read_event
from sinks.parcel import Parcel
from sinks.signing import webhook_id
from sinks.topics import retry_topics
from sinks.verdict import REMOVED

_BATCH = 500
"""Records of one transaction: what was written before an interruption is complete, and is counted."""
_TRANSACTION_TIMEOUT_MS = 10_000
"""So long can a command that is killed within one hold up the readers of the retry topics."""

_ENDED_WITH_ENDPOINT = frozenset({"endpoint-gone", "endpoint-disabled", REMOVED})


@dataclass(frozen=True)
class DeadDelivery:
    """A delivery in the dead topic. `place`: its partition and offset there; `origin`: the event's topic, partition and offset.
    Its bytes stay in the topic: there may be millions."""

    webhook_id: str
    subscription: str
    subject: str
    name: str
    reason: str
    at: datetime
    place: tuple[int, int]
    origin: tuple[str, str, str]

    @property
    def outcome(self) -> Outcome:
        return Outcome.DISABLED if self.reason in _ENDED_WITH_ENDPOINT else Outcome.DEAD


class Pace:
    """Due times, `rate` a second from now on: what comes all at once would only be put off again and again."""

    def __init__(self, rate: float, now: datetime) -> None:
        self._due = now.timestamp()
        self._step = 1 / rate

    def next(self) -> float:
        """Unix seconds."""
        due, self._due = self._due, self._due + self._step
        return due


async def dead_deliveries(
    cluster: Cluster, span: Span, wanted: Callable[[DeadDelivery], bool], report: Report
) -> dict[str, DeadDelivery]:
    """By webhook-id, the last death of each in the span."""
    found: dict[str, DeadDelivery] = {}
    async for record in read_span(cluster, [cluster.topics.dead.name], span, report):
        one = _dead_delivery(record)
        if one is not None and wanted(one):
            found[one.webhook_id] = one
    return found


async def waiting(cluster: Cluster, dead_ones: Iterable[DeadDelivery]) -> set[str]:
    """The webhook-ids of those that have been handed to the sinks since they died, and have not come to an end since then."""
    known = {(one.subscription, *one.origin): one for one in dead_ones}
    found = set()
    for topic in retry_topics(cluster.topics).values():
        async for record in read_to_end(cluster, topic.name):
            headers = _headers(record)
            one = known.get((headers.get(dead.SUBSCRIPTION, ""), *_origin(headers)))
            # it has died once more when its death is newer
            if one is not None and record.timestamp >= one.at.timestamp() * 1000:
                found.add(one.webhook_id)
    return found


async def dead_again(cluster: Cluster, span: Span, chosen: Iterable[DeadDelivery], pace: Pace) -> AsyncIterator[Parcel]:
    """The parcels of what was found in this span."""
    places = {one.place for one in chosen}
    async for record in read_span(cluster, [cluster.topics.dead.name], span):
        if (record.partition, record.offset) in places:
            headers = _headers(record)
            yield Parcel(
                subscription=headers[dead.SUBSCRIPTION],
                value=record.value,
                attempts=0,
                due=pace.next(),
                topic=headers[dead.ORIGIN_TOPIC],
                partition=int(headers[dead.ORIGIN_PARTITION]),
                offset=int(headers[dead.ORIGIN_OFFSET]),
            )


async def send(cluster: Cluster, parcels: AsyncIterable[Parcel], sent: Callable[[int], None]) -> int:
    """Write the parcels to the retry topics, in transactions of some hundred. `sent(count)` after each."""
    await ensure_topics(cluster, retry_topics(cluster.topics).values())
    # an id that no other command has: two operators may send at once
    producer = cluster.transactional_producer(
        f"{cluster.topics.prefix}-resend-{uuid.uuid4().hex}", transaction_timeout_ms=_TRANSACTION_TIMEOUT_MS
    )
    count = 0
    async with producer:
        batch: list[Parcel] = []
        async for parcel in parcels:
            batch.append(parcel)
            if len(batch) == _BATCH:
                count += await _write(cluster, producer, batch)
                batch = []
                sent(count)
        if batch:
            count += await _write(cluster, producer, batch)
            sent(count)
    return count


async def _write(cluster: Cluster, producer: AIOKafkaProducer, batch: list[Parcel]) -> int:
    topics, now = retry_topics(cluster.topics), datetime.now(UTC).timestamp()
    async with producer.transaction():
        for parcel in batch:
            delay, placed = parcel.placed(now)
            await producer.send(
                topics[delay].name,
                placed.value,
                key=placed.subscription.encode(),
                partition=placed.partition,
                headers=placed.headers(),
            )
    return len(batch)


def _dead_delivery(record: ConsumerRecord) -> DeadDelivery | None:
    """None for what is no delivery: an entry of a feed, an event that could not be read."""
    headers = _headers(record)
    if dead.SUBSCRIPTION not in headers or dead.ORIGIN_OFFSET not in headers:
        return None
    try:
        event = read_event(record.value)
    except UnreadableEvent:
        return None
    subscription = headers[dead.SUBSCRIPTION]
    return DeadDelivery(
        webhook_id(event.id, subscription),
        subscription,
        event.subject,
        event.name,
        headers.get(dead.REASON, ""),
        datetime.fromtimestamp(record.timestamp / 1000, UTC),
        (record.partition, record.offset),
        _origin(headers),
    )


def _origin(headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Topic, partition and offset of the event, in the changes."""
    topic, partition, offset = (headers.get(name, "") for name in (dead.ORIGIN_TOPIC, dead.ORIGIN_PARTITION, dead.ORIGIN_OFFSET))
    return topic, partition, offset


def _headers(record: ConsumerRecord) -> dict[str, str]:
    return {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}

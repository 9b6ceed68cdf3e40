"""The dead topic, for operators: what stands in it, and putting it back where it came from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import ConsumerRecord

from changecast.deliveries.parcels import send
from changecast.deliveries.span import Span, read_span
from runtime.kafka import Cluster
from runtime.topics import read_to_end
from schemas import dead
from sinks.event import UnreadableEvent, read_event
from sinks.parcel import Parcel
from sinks.signing import webhook_id
from sinks.verdict import REMOVED


@dataclass(frozen=True)
class Dead:
    """A record of the dead topic. `place` names it: its partition and offset there, as `2/17`."""

    place: str
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]

    @property
    def reason(self) -> str:
        return self.headers.get(dead.REASON, "")

    @property
    def error(self) -> str:
        return self.headers.get(dead.ERROR, "")

    @property
    def subject(self) -> str:
        return (self.key or b"").decode("utf-8", "replace")

    @property
    def subscription(self) -> str | None:
        """Where this is a delivery, to whom."""
        return self.headers.get(dead.SUBSCRIPTION)

    @property
    def delivery(self) -> tuple[str, str] | None:
        """The subscription and the webhook-id, where this is an event on its way to a subscription."""
        if self.subscription is None:
            return None
        try:
            return self.subscription, webhook_id(read_event(self.value).id, self.subscription)
        except UnreadableEvent:
            return None

    @property
    def is_removed(self) -> bool:
        """A delivery whose subscription was removed, and may be back by now."""
        return self.reason == REMOVED and self.delivery is not None and dead.ORIGIN_OFFSET in self.headers

    @property
    def origin(self) -> str:
        """`changecast.raw.tmdb/2 at 170`, or a feed as `tmdb:movie`."""
        topic = self.headers.get(dead.ORIGIN_TOPIC, "")
        if dead.ORIGIN_OFFSET not in self.headers:
            return topic
        return f"{topic}/{self.headers[dead.ORIGIN_PARTITION]} at {self.headers[dead.ORIGIN_OFFSET]}"

    def as_json(self) -> dict[str, Any]:
        """All but the bytes, of which the size is told: they may be no text."""

        def number(header: str) -> int | None:
            return int(self.headers[header]) if header in self.headers else None

        return {
            "record": self.place,
            "at": self.at,
            "reason": self.reason,
            "error": self.error,
            "attempts": number(dead.ATTEMPTS),
            "key": self.subject,
            "subscription": self.subscription,
            "webhook_id": self.delivery[1] if self.delivery is not None else None,
            "origin": {
                "topic": self.headers.get(dead.ORIGIN_TOPIC),
                "partition": number(dead.ORIGIN_PARTITION),
                "offset": number(dead.ORIGIN_OFFSET),
            },
            "bytes": len(self.value or b""),
        }

    def why_not_replayable(self, cluster: Cluster) -> str | None:
        """Why this can't be put back, with the way that there is instead; None where it can."""
        topic = self.headers.get(dead.ORIGIN_TOPIC, "")
        if self.is_removed:
            return None
        if self.subscription is not None:
            named = f" {self.delivery[1]}" if self.delivery is not None else ""
            return f"it is a delivery to {self.subscription}: `changecast deliveries retry{named}` sends it again"
        if not topic.startswith(f"{cluster.topics.prefix}.raw."):
            return f"it came from the feed {topic}, not from a topic: `changecast provider backfill` reads the feed again"
        return None


async def read_dead(cluster: Cluster, since: datetime | None = None) -> AsyncIterator[Dead]:
    """Everything in the dead topic, or what has died since, each partition in order."""
    topic = cluster.topics.dead.name
    async for record in read_to_end(cluster, topic) if since is None else read_span(cluster, [topic], Span(since)):
        yield _dead(record)


async def replay(cluster: Cluster, records: Sequence[Dead]) -> None:
    """Put the records back into the topics they came from, byte for byte, all or none. They must be replayable. Deliveries of
    subscriptions that were removed go to the sinks instead, which send them as `changecast deliveries retry` has them sent."""
    if removed := [record for record in records if record.is_removed]:
        await send(cluster, _again(removed), lambda _: None)
    records = [record for record in records if not record.is_removed]
    if not records:
        return
    producer = cluster.transactional_producer(f"{cluster.topics.prefix}-dead-replay")
    async with producer, producer.transaction():
        sent = [await producer.send(record.headers[dead.ORIGIN_TOPIC], record.value, key=record.key) for record in records]
        await asyncio.gather(*sent)


async def _again(records: Sequence[Dead]) -> AsyncIterator[Parcel]:
    now = datetime.now(UTC).timestamp()
    for record in records:
        headers = record.headers
        yield Parcel(
            *(headers[dead.SUBSCRIPTION], record.value or b"", 0, now, headers[dead.ORIGIN_TOPIC]),
            *(int(headers[dead.ORIGIN_PARTITION]), int(headers[dead.ORIGIN_OFFSET])),
        )


def _dead(record: ConsumerRecord) -> Dead:
    return Dead(
        place=f"{record.partition}/{record.offset}",
        at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=record.key,
        value=record.value,
        headers={name: (value or b"").decode("utf-8", "replace") for name, value in record.headers},
    )

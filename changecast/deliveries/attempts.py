"""Attempts as they stand in `changecast.deliveries`: those that an operator asks for."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from changecast.deliveries.newest import Newest
from changecast.deliveries.span import Report, Span, partitions_of, read_span
from runtime.kafka import Cluster
from schemas.delivery import Attempt, Outcome

KEPT = timedelta(days=7)
"""How long the deliveries topic keeps its records."""
_ID = re.compile(r"msg_[0-9a-f]{4,32}")
_FULL_ID = re.compile(r"msg_[0-9a-f]{32}")


class NotAnId(ValueError):
    """Not the form of a webhook-id, or of its beginning."""


@dataclass(frozen=True)
class Filter:
    """None lets all through."""

    subscription: str | None = None
    outcome: Outcome | None = None

    def takes(self, attempt: Attempt) -> bool:
        return self.outcome in (None, attempt.outcome) and self.subscription in (None, attempt.subscription)

    def may_take(self, key: bytes | None) -> bool:
        """By the record's key alone, which is the subscription: most records need not be parsed."""
        return self.subscription is None or key == self.subscription.encode()


@dataclass(frozen=True)
class Found:
    """`newest`: the last ones, oldest first. `count`: how many there are. `unreadable`: records that are no attempts."""

    newest: list[Attempt]
    count: int
    unreadable: int


async def newest(cluster: Cluster, span: Span, chosen: Filter, limit: int, report: Report) -> Found:
    """The last `limit` attempts of the span that the filter takes. Holds no more than those in memory."""
    found: Newest[Attempt] = Newest(limit)
    unreadable = 0
    async for record in read_span(cluster, [cluster.topics.deliveries.name], span, report):
        if not chosen.may_take(record.key):
            continue
        if (attempt := attempt_of(record)) is None:
            unreadable += 1
        elif chosen.takes(attempt):
            found.add(attempt.at, attempt)
    return Found(found.kept, found.count, unreadable)


async def of_deliveries(
    cluster: Cluster, ids: Iterable[str], report: Report, span: Span | None = None
) -> dict[str, list[Attempt]]:
    """All attempts of the deliveries named, each by its webhook-id or the beginning of it; by full id, oldest first. Raises NotAnId."""
    found: dict[str, list[Attempt]] = {}
    async for attempt in _of(cluster, list(ids), report, span or Span.last(KEPT)):
        found.setdefault(attempt.webhook_id, []).append(attempt)
    for attempts in found.values():
        attempts.sort(key=lambda attempt: attempt.at)
    return found


@dataclass(frozen=True)
class Course:
    """How a delivery has gone: its last attempt, and when it was delivered, which may have been before that."""

    last: Attempt
    delivered: datetime | None

    def followed_by(self, attempt: Attempt) -> Course:
        delivered = [self.delivered] if self.delivered is not None else []
        if attempt.outcome is Outcome.DELIVERED:
            delivered.append(attempt.at)
        return Course(attempt if attempt.at >= self.last.at else self.last, max(delivered, default=None))


async def courses(cluster: Cluster, ids: Iterable[str], report: Report, span: Span) -> dict[str, Course]:
    """Of the deliveries named, by webhook-id. Holds one attempt of each in memory."""
    found: dict[str, Course] = {}
    async for attempt in _of(cluster, list(ids), report, span):
        known = found.get(attempt.webhook_id) or Course(attempt, None)
        found[attempt.webhook_id] = known.followed_by(attempt)
    return found


async def _of(cluster: Cluster, wanted: list[str], report: Report, span: Span) -> AsyncIterator[Attempt]:
    for one in wanted:
        if not _ID.fullmatch(one):
            raise NotAnId(f"{one!r} is no webhook-id: it is msg_ and 32 hex digits, of which the first few do")
    full = {one for one in wanted if _FULL_ID.fullmatch(one)}
    begins = tuple(one.encode() for one in wanted if one not in full)
    async for record in read_span(cluster, [cluster.topics.deliveries.name], span, report):
        # the id is found in the bytes before anything is parsed: a week may hold millions of records
        found_id = _id_in(record.value)
        if found_id is None or not (found_id.decode() in full or (begins and found_id.startswith(begins))):
            continue
        if (attempt := attempt_of(record)) is not None:
            yield attempt


async def follow(cluster: Cluster, chosen: Filter, started: Callable[[], None]) -> AsyncIterator[Attempt]:
    """What is written from now on, as it comes. `started()` is called once nothing new can be missed."""
    consumer = cluster.consumer(group_id=None)
    await consumer.start()
    try:
        partitions = await partitions_of(cluster, [cluster.topics.deliveries.name])
        consumer.assign(partitions)
        for partition, end in (await consumer.end_offsets(partitions)).items():
            consumer.seek(partition, end)
        started()
        async for record in consumer:
            if chosen.may_take(record.key) and (attempt := attempt_of(record)) is not None and chosen.takes(attempt):
                yield attempt
    finally:
        await consumer.stop()


@dataclass
class Counts:
    """Of one subscription in a span. `took`: milliseconds of those that were delivered, as many as `_SAMPLE`."""

    delivered: int = 0
    retried: int = 0
    dead: int = 0
    last_error: str | None = None
    last_delivered: datetime | None = None
    last_failed: datetime | None = None
    took: list[float] = field(default_factory=list)

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self.last_failed is not None and (self.last_delivered is None or self.last_failed > self.last_delivered)

    @property
    def median_ms(self) -> float | None:
        return sorted(self.took)[len(self.took) // 2] if self.took else None


_SAMPLE = 10_000


async def counted(cluster: Cluster, span: Span, report: Report) -> dict[str, Counts]:
    """By subscription."""
    counts: dict[str, Counts] = {}
    async for record in read_span(cluster, [cluster.topics.deliveries.name], span, report):
        if (attempt := attempt_of(record)) is None:
            continue
        of = counts.setdefault(attempt.subscription, Counts())
        if attempt.outcome is Outcome.DELIVERED:
            of.delivered += 1
            of.last_delivered = max(of.last_delivered or attempt.at, attempt.at)
            if attempt.ms is not None and len(of.took) < _SAMPLE:
                of.took.append(attempt.ms)
            continue
        if of.last_failed is None or attempt.at >= of.last_failed:
            of.last_failed, of.last_error = attempt.at, attempt.error
        if attempt.outcome is Outcome.RETRY:
            of.retried += 1
        else:
            of.dead += 1
    return counts


def attempt_of(record: ConsumerRecord) -> Attempt | None:
    """None for what this version can't read."""
    try:
        return Attempt.model_validate_json(record.value or b"")
    except ValidationError:
        return None


def _id_in(value: bytes | None) -> bytes | None:
    match = _ID_IN_JSON.search(value or b"")
    return None if match is None else match[1]


_ID_IN_JSON = re.compile(rb'"webhook_id"\s*:\s*"(msg_[0-9a-f]{32})"')

"""What subscriptions would match among the events of a span: by the sinks' own matching, on the events as they stand in the topics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import ConsumerRecord

from changecast.deliveries.span import Report, Span, read_span
from runtime.kafka import Cluster
from schemas.config import Subscription
from schemas.config.expressions import ExpressionError, bind
from sinks.event import Event, UnreadableEvent, read_event
from sinks.index import Index
from sinks.match import compile_rule
from sinks.topics import PROVIDERS


@dataclass(frozen=True)
class Seen:
    """An event where it stands. `at`: when it was published."""

    event: Event
    at: datetime
    topic: str
    partition: int
    offset: int


@dataclass
class Matched:
    """Of one subscription. `failed`: its `when` could not be told on so many events, which count as no match; `failure`: the last
    error. `keep`: so many events of either end are kept."""

    subscription: str
    keep: int
    count: int = 0
    failed: int = 0
    failure: str | None = None
    _first: list[Seen] = field(default_factory=list)
    _last: list[Seen] = field(default_factory=list)

    @property
    def first(self) -> list[Seen]:
        """By time. Partitions are read side by side, so the first to be read need not be."""
        return sorted(self._first, key=_published)[: self.keep]

    @property
    def last(self) -> list[Seen]:
        """By time."""
        return sorted(self._last, key=_published)[-self.keep :]

    def add(self, seen: Seen) -> None:
        self.count += 1
        self._first.append(seen)
        self._last.append(seen)
        if len(self._last) >= 4 * self.keep:
            self._last = self.last
        if len(self._first) >= 4 * self.keep:
            self._first = self.first


@dataclass(frozen=True)
class Matches:
    """`events`: how many the span holds."""

    events: int
    unreadable: int
    of: list[Matched]


async def matches(cluster: Cluster, subscriptions: Iterable[Subscription], span: Span, keep: int, report: Report) -> Matches:
    """What each subscription would have got of the span."""
    chosen = list(subscriptions)
    index = Index(compile_rule(subscription) for subscription in chosen)
    found = {subscription.name: Matched(subscription.name, keep) for subscription in chosen}
    events = unreadable = 0
    async for seen in _events(cluster, span, report):
        if seen is None:
            unreadable += 1
            continue
        events += 1
        bound = None
        for rule in index.matching(seen.event.facts):
            if rule.when is not None:
                bound = bound or bind(seen.event.document, len(seen.event.value))
                try:
                    if not rule.agrees(bound):
                        continue
                except ExpressionError as error:
                    of = found[rule.subscription]
                    of.failed, of.failure = of.failed + 1, f"{error} (on {seen.event.id})"
                    continue
            found[rule.subscription].add(seen)
    return Matches(events, unreadable, list(found.values()))


async def matching_events(cluster: Cluster, subscription: Subscription, span: Span) -> AsyncIterator[Seen]:
    """The events of the span that one subscription wants."""
    rule = compile_rule(subscription)
    async for seen in _events(cluster, span, _unseen):
        if seen is None or not rule.wants(seen.event.facts):
            continue
        try:
            agreed = rule.when is None or rule.agrees(bind(seen.event.document, len(seen.event.value)))
        except ExpressionError:  # counts as no match, as it does in the sinks; `matches` counts it
            agreed = False
        if agreed:
            yield seen


def _published(seen: Seen) -> datetime:
    return seen.at


def _unseen(done: int, total: int) -> None:
    del done, total


async def _events(cluster: Cluster, span: Span, report: Report) -> AsyncIterator[Seen | None]:
    """As `seen_in` gives them."""
    topics = [cluster.topics.changes(provider).name for provider in PROVIDERS]
    async for record in read_span(cluster, topics, span, report):
        yield seen_in(record)


def seen_in(record: ConsumerRecord) -> Seen | None:
    """None for a record that is no event: the sinks have sent it to the dead topic."""
    try:
        event = read_event(record.value)
    except UnreadableEvent:
        return None
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return Seen(event, at, record.topic, record.partition, record.offset)

"""What the sinks worker tells of itself when it is asked: its endpoints, and how far it is in the changes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.clock import Clock
from runtime.metrics import Reading, names
from runtime.offsets import records_behind
from schemas.delivery import Outcome
from schemas.topics import Topics
from sinks.breaker import State
from sinks.directory import Directory
from sinks.endpoint import Endpoint
from sinks.feed import Feed
from sinks.journal import Journal
from sinks.ownership import Ownership
from sinks.settle import Settler
from sinks.shard import Shard
from sinks.topics import PROVIDERS

_TURN = 25
"""So many endpoints are read at a time, a millisecond or two, in which no delivery moves."""


@dataclass(frozen=True)
class Engine:
    """What one life of the worker is made of."""

    consumer: AIOKafkaConsumer
    owner: Ownership
    feed: Feed
    endpoints: Mapping[str, Endpoint]
    settler: Settler
    directory: Directory
    journal: Journal


class SinksMetrics:
    """The worker notes its engine while it has one. A new one counts from nothing, as a new process would."""

    def __init__(self, topics: Topics, clock: Clock) -> None:
        self._provider_of = {topics.changes(provider).name: provider for provider in PROVIDERS}
        self._provider_of[topics.alerts.name] = names.ALERTS
        self._clock = clock
        self.engine: Engine | None = None

    def waits_for(self) -> str | None:
        return None if self.engine is not None and self.engine.owner.joined else "Kafka"

    async def read(self) -> Reading:
        reading = Reading(names.OF_PART["sinks"])
        engine = self.engine
        if engine is None:
            return reading
        shards = list(engine.owner.shards.values())
        places = [(shard, topic) for shard in shards for topic in shard.commons]
        lags = await asyncio.gather(*(_lag(engine, shard, topic) for shard, topic in places))
        for (shard, topic), lag in zip(places, lags, strict=True):
            reading.put(names.SINKS_LAG, lag, self._provider_of[topic], shard.partition)
        for topic in sorted({topic for _, topic in places}.union(engine.feed.taken)):
            reading.put(names.SINKS_EVENTS, engine.feed.taken[topic], self._provider_of[topic])
        reading.put(names.JOURNAL_LOST, engine.journal.lost)
        parked, behind = _parked(shards), _behind(shards, engine.endpoints)
        for number, (name, endpoint) in enumerate(engine.endpoints.items(), 1):
            if number % _TURN == 0:
                await self._clock.sleep(0)
            self._endpoint(reading, endpoint)
            for outcome in Outcome:
                reading.put(names.DELIVERIES, engine.settler.outcomes[name, outcome], name, outcome)
            reading.put(names.WHEN_ERRORS, engine.directory.failed_whens[name], name)
            reading.put(names.PARKED, parked[name], name)
            reading.put(names.SUBSCRIPTION_LAG, behind[name], name)
        return reading

    def _endpoint(self, reading: Reading, endpoint: Endpoint) -> None:
        name = endpoint.name
        reading.put_histogram(names.ATTEMPT_SECONDS, endpoint.seconds, name)
        reading.put(names.QUEUED, endpoint.waiting, name)
        reading.put(names.OLDEST_WAIT, endpoint.oldest_wait(), name)
        reading.put(names.IN_FLIGHT, endpoint.in_flight, name)
        reading.put(names.BREAKER_OPEN, endpoint.breaker.state(self._clock.monotonic()) is not State.CLOSED, name)
        reading.put(names.DISABLED, endpoint.disabled, name)


async def _lag(engine: Engine, shard: Shard, topic: str) -> int | None:
    tracker = shard.commons[topic]
    busy = engine.feed.handing_over or tracker.open_count > 0
    return await records_behind(engine.consumer, TopicPartition(topic, shard.partition), tracker.first_open, busy=busy)


def _parked(shards: list[Shard]) -> Counter[str]:
    return sum((shard.parked for shard in shards), Counter())


def _behind(shards: list[Shard], endpoints: Mapping[str, Endpoint]) -> Counter[str]:
    """How far the subscriptions with cursors of their own are behind the common stream. Cursors of those that the config does not have
    stand still, and are nobody's trouble."""
    behind: Counter[str] = Counter()
    for shard in shards:
        for lag in shard.lags.values():
            if lag.until is None and lag.subscription in endpoints:
                behind[lag.subscription] += max(shard.commons[lag.topic].position - lag.tracker.first_open, 0)
    return behind

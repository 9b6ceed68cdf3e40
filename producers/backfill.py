"""A range of a feed read again, beside the worker that polls: what was published already is dropped by dedupe.

It is a first start at the range's beginning with a clock that stands at its end. The feed's cursor in Kafka is neither read nor
moved, and the transactional id is another than the poller's, so the poller is not fenced. Two of the same feed are: the later wins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from aiokafka.errors import KafkaError

from producers.interface import BrokenItem, Feed, Ranged
from producers.output import FeedOutput
from producers.registry import REGISTRY
from producers.writer import Remembered
from runtime.backoff import Backoff
from runtime.clock import Clock, SystemClock
from runtime.http import BadResponse, ProviderError, ProviderUnavailable
from runtime.kafka import Cluster
from runtime.outbound import Outbound
from runtime.rate import RateLimit
from schemas.cursor import Cursor
from schemas.event import GAP_KEY, ObservedEvent

log = logging.getLogger(__name__)

ROUNDS = 5
"""So often the rest is asked for when it brings nothing new: an entity that gives no readable answer must not hold it for ever."""
_BACKOFF = Backoff(first=2.0, longest=60.0)
_UNBROKEN = timedelta(days=365)
"""Instead of the polling interval: a poll of a range goes on to its end."""


@dataclass(frozen=True)
class Range:
    """From `since` up to and with `until`. Raises ValueError when it is empty or lies in the future."""

    since: datetime
    until: datetime

    def check(self, now: datetime) -> None:
        if self.since >= self.until:
            raise ValueError(f"the range from {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} is empty")
        if self.until > now:
            raise ValueError(f"the range ends in the future, at {self.until:%Y-%m-%d %H:%M} (UTC)")

    def __contains__(self, moment: datetime) -> bool:
        return self.since <= moment <= self.until


class UnknownFeed(ValueError):
    """The provider has no such feed by this config. The message says which there are."""


@dataclass(frozen=True)
class Done:
    """How far a feed has been read: up to `read_to`, `events` written to the raw topic, `broken` to the dead one. `left`: why some
    of it is missing."""

    feed: str
    read_to: datetime
    events: int = 0
    broken: int = 0
    left: str | None = None


class StandingClock:
    """A clock whose wall time stands at the end of a range, while durations pass as ever."""

    def __init__(self, at: datetime, clock: Clock) -> None:
        self._at = at
        self._clock = clock

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def backfill(
    cluster: Cluster,
    provider: str,
    settings: Any,
    span: Range,
    *,
    rate: RateLimit,
    feeds: tuple[str, ...] = (),
    on_progress: Callable[[Done], None] = lambda _: None,
    clock: Clock | None = None,
    outbound: Outbound | None = None,
) -> list[Done]:
    """Read the range of these feeds (none: of all) and write it to the raw topic. `settings`: the provider's section of the config.

    Raises UnknownFeed, ProviderUnavailable and BadResponse when the provider stays away,
    CredentialsRejected, and ProducerFenced when another backfill of the feed has begun.
    """
    clock = clock or SystemClock()
    source = REGISTRY[provider](ranged(settings, span), rate, StandingClock(span.until, clock), outbound=outbound)
    try:
        chosen = _chosen(provider, source.feeds, feeds)
        for feed in chosen:
            if isinstance(feed, Ranged):
                feed.reads_range = True
        async with asyncio.TaskGroup() as group:
            readings = (_FeedBackfill(cluster, provider, feed, span, clock, on_progress) for feed in chosen)
            tasks = [group.create_task(reading.run()) for reading in readings]
        return [task.result() for task in tasks]
    except* (ProviderError, KafkaError, OSError) as problems:
        raise problems.exceptions[0] from None
    finally:
        await source.aclose()


async def check_feeds(provider: str, settings: Any, feeds: tuple[str, ...]) -> None:
    """Raises UnknownFeed for one that there is none of. Nothing is asked of the provider."""
    source = REGISTRY[provider](settings, RateLimit(settings.rate))
    try:
        _chosen(provider, source.feeds, feeds)
    finally:
        await source.aclose()


def _chosen(provider: str, feeds: Sequence[Feed], names: tuple[str, ...]) -> list[Feed]:
    known = {feed.name: feed for feed in feeds}
    for name in names:
        if name not in known:
            raise UnknownFeed(f"there is no feed {name!r} by this config; {provider} has {', '.join(known) or 'none'}")
    return [feed for name, feed in known.items() if not names or name in names]


def ranged(settings: Any, span: Range) -> Any:
    """The provider's settings for one pass over a range: from its beginning, without an overlap or a pause."""
    wanted: Mapping[str, Any] = {"since": span.since, "interval": _UNBROKEN, "overlap": timedelta()}
    return settings.model_copy(update={name: value for name, value in wanted.items() if name in type(settings).model_fields})


class _FeedBackfill:
    def __init__(
        self, cluster: Cluster, provider: str, feed: Feed, span: Range, clock: Clock, on_progress: Callable[[Done], None]
    ) -> None:
        transactional_id = f"{cluster.topics.prefix}-backfill-{provider}-{feed.name}"
        self._output = FeedOutput(cluster, provider, feed.name, transactional_id)
        self._feed = feed
        self._span = span
        self._clock = clock
        self._on_progress = on_progress
        self._random = Random()
        self._remembered = Remembered()
        self._cursor: Cursor | None = None
        self._events = 0
        self._broken = 0

    async def run(self) -> Done:
        async with self._output:
            fruitless, left = 0, None
            while not self._at_end() and fruitless < ROUNDS:
                before = (self._read_to(), self._events)
                try:
                    await self._read_on()
                    left = "some of what changed gives no readable answer"
                except (ProviderUnavailable, BadResponse) as problem:
                    if fruitless == ROUNDS - 1 and left is None:
                        raise
                    await self._wait(problem, fruitless + 1)
                fruitless = fruitless + 1 if before == (self._read_to(), self._events) else 0
        return self._done(None if self._at_end() else left)

    async def _read_on(self) -> None:
        async for page in self._feed.poll(self._cursor):
            events = self._remembered.new(event for event in page.events if self._wanted(event))
            if events or page.broken:
                await self._output.write([self._as_read_now(event) for event in events], page.broken)
            self._remembered.add(events)
            self._cursor = page.cursor
            self._events += len(events)
            self._broken += len(page.broken)
            self._on_progress(self._done())
            if self._at_end():
                return

    async def _wait(self, problem: ProviderUnavailable | BadResponse, attempt: int) -> None:
        asked = None
        if isinstance(problem, BadResponse):
            await self._output.write((), [BrokenItem("bad-response", str(problem), problem.body)])
        else:
            asked = problem.retry_after
        delay = max(_BACKOFF.delay(attempt, self._random), asked or 0.0)
        log.warning("%s: %s; asked again in %.0f s", self._feed.name, problem, delay)
        await self._clock.sleep(delay)

    def _wanted(self, event: ObservedEvent) -> bool:
        return event.time in self._span or any(change.key == GAP_KEY for change in event.data.changes)

    def _as_read_now(self, event: ObservedEvent) -> ObservedEvent:
        """The clock that the feed was given stands; the event is observed now all the same, beside the feed's own progress."""
        seen = {"observed_at": self._clock.now(), "out_of_turn": True}
        return event.model_copy(update={"data": event.data.model_copy(update=seen)})

    def _read_to(self) -> datetime:
        return self._span.since if self._cursor is None else min(self._cursor.read_to, self._span.until)

    def _at_end(self) -> bool:
        return self._read_to() >= self._span.until

    def _done(self, left: str | None = None) -> Done:
        return Done(self._feed.name, self._read_to(), self._events, self._broken, left)

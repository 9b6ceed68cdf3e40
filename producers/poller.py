"""Polling one feed for as long as the worker leads: poll, write, wait, and no way for one feed's trouble to reach another."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from random import Random

from aiokafka.errors import KafkaError, ProducerFenced

from producers.interface import BrokenItem, Feed, Page, Rereading
from producers.report import KAFKA, FeedReport
from producers.spending import SPENDING
from producers.writer import FeedWriter, UnreadableCursor, a_week_before
from runtime.backoff import Backoff
from runtime.clock import Clock, SystemClock
from runtime.http import BadResponse, CredentialsRejected, ProviderError, ProviderUnavailable
from runtime.kafka import Cluster
from schemas.feed_status import FeedState

log = logging.getLogger(__name__)

CREDENTIALS_RETRY_S = 300.0
"""A rejected key is tried again this slowly: it may have been renewed, and a provider bans who knocks too often."""

CURSOR_RETRY_S = 60.0
"""An unreadable cursor is read again this often: it may have been repaired."""

_UNAVAILABLE = Backoff(first=2.0, longest=60.0)
_KAFKA_AWAY = Backoff(first=0.5, longest=10.0)


class FeedFault(Exception):
    """A provider's code failed in a way that it should not: a bug, or an answer that nobody has thought of."""


class FeedPoller:
    """Polls one feed until cancelled. Raises ProducerFenced when another worker has taken the feed over."""

    def __init__(
        self,
        cluster: Cluster,
        provider: str,
        feed: Feed,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        report: FeedReport | None = None,
    ) -> None:
        self._cluster = cluster
        self._provider = provider
        self._feed = feed
        self._clock = clock or SystemClock()
        self._random = random or Random()
        self._failures = 0
        self.report = report or FeedReport(provider, feed, self._clock)
        self.name = f"{provider}:{feed.name}"

    async def run(self) -> None:
        SPENDING.set(self.report.spending)
        kafka_failures = 0
        while True:
            try:
                async with self._writer() as writer:
                    kafka_failures = 0
                    self.report.cursor = writer.cursor
                    while True:
                        await self._poll_once(writer)
            except ProducerFenced:
                log.warning("%s: another worker polls this feed now", self.name)
                raise
            except UnreadableCursor as problem:
                log.critical("%s: %s", self.name, problem)
                self.report.failed(problem, CURSOR_RETRY_S)
                await self._clock.sleep(CURSOR_RETRY_S)
            except (KafkaError, ConnectionError) as error:
                # the page in doubt is read again: the cursor tells whether its transaction came through
                kafka_failures += 1
                self.report.errors[KAFKA] += 1
                delay = _KAFKA_AWAY.delay(kafka_failures, self._random)
                log.warning("%s: Kafka: %s; going on from the last cursor in %.1f s", self.name, error, delay)
                await self._clock.sleep(delay)

    def _writer(self) -> FeedWriter:
        reads_from = self._feed.reads_from if isinstance(self._feed, Rereading) else a_week_before
        return FeedWriter(
            self._cluster,
            self._provider,
            self._feed.name,
            reads_from=reads_from,
            broken=self.report.broken,
            clock=self._clock,
        )

    async def _poll_once(self, writer: FeedWriter) -> None:
        """One poll and the pause after it."""
        started = self._clock.monotonic()
        self.report.polling()
        try:
            await self._poll(writer)
        except CredentialsRejected as problem:
            delay = CREDENTIALS_RETRY_S
            log.error(
                "%s: the credentials are not accepted (%s); this provider is not polled, and tried again every %.0f s",
                self.name,
                problem,
                delay,
            )
            self.report.failed(problem, delay, FeedState.REJECTED)
        except ProviderUnavailable as problem:
            delay = max(self._backoff(), problem.retry_after or 0.0)
            log.warning("%s: %s; polled again in %.0f s", self.name, problem, delay)
            self.report.failed(problem, delay)
        except BadResponse as problem:
            # one record as long as the feed stands still, whatever each answer looks like
            await writer.bury(BrokenItem("bad-response", str(problem), problem.body, identity="poll"))
            delay = self._backoff()
            log.warning("%s: %s; polled again in %.0f s", self.name, problem, delay)
            self.report.failed(problem, delay)
        except FeedFault as fault:
            delay = self._backoff()
            log.error("%s: %s; polled again in %.0f s", self.name, fault, delay, exc_info=fault.__cause__)
            self.report.failed(fault, delay)
        else:
            self._failures = 0
            delay = max(0.0, started + self._feed.interval_s - self._clock.monotonic())
            self.report.polled(delay)
        await self._clock.sleep(delay)

    async def _poll(self, writer: FeedWriter) -> None:
        before = self.report.events
        async for page in self._pages(writer):
            self.report.events += await writer.write(page)
            self.report.cursor = writer.cursor
        if written := self.report.events - before:
            log.info("%s: %d new changes", self.name, written)

    async def _pages(self, writer: FeedWriter) -> AsyncIterator[Page]:
        """The feed's pages. What its code raises without meaning to must end neither the worker nor the other feeds."""
        pages = aiter(self._feed.poll(writer.cursor))
        while True:
            try:
                page = await anext(pages)
            except StopAsyncIteration:
                return
            except ProviderError:
                raise
            except Exception as fault:
                raise FeedFault(f"a fault in reading the feed: {fault!r}") from fault
            yield page

    def _backoff(self) -> float:
        self._failures += 1
        return _UNAVAILABLE.delay(self._failures, self._random)

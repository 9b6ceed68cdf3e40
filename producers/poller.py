"""Polling one feed for as long as the worker leads: poll, write, wait, and no way for one feed's trouble to reach another."""

from __future__ import annotations

import logging
from random import Random

from aiokafka.errors import KafkaError, ProducerFenced

from producers.interface import BrokenItem, Feed
from producers.writer import FeedWriter
from runtime.backoff import Backoff
from runtime.clock import Clock, SystemClock
from runtime.http import BadResponse, CredentialsRejected, ProviderUnavailable
from runtime.kafka import Cluster

log = logging.getLogger(__name__)

CREDENTIALS_RETRY_S = 300.0
"""A rejected key is tried again this slowly: it may have been renewed, and a provider bans who knocks too often."""

_UNAVAILABLE = Backoff(first=2.0, longest=60.0)
_KAFKA_AWAY = Backoff(first=0.5, longest=10.0)


class FeedPoller:
    """Polls one feed until cancelled. Raises ProducerFenced when another worker has taken the feed over."""

    def __init__(
        self, cluster: Cluster, provider: str, feed: Feed, clock: Clock | None = None, random: Random | None = None
    ) -> None:
        self._cluster = cluster
        self._provider = provider
        self._feed = feed
        self._clock = clock or SystemClock()
        self._random = random or Random()
        self._failures = 0
        self.name = f"{provider}:{feed.name}"

    async def run(self) -> None:
        kafka_failures = 0
        while True:
            try:
                async with FeedWriter(self._cluster, self._provider, self._feed.name) as writer:
                    kafka_failures = 0
                    while True:
                        await self._poll_once(writer)
            except ProducerFenced:
                log.warning("%s: another worker polls this feed now", self.name)
                raise
            except (KafkaError, ConnectionError) as error:
                # the page in doubt is read again: the cursor tells whether its transaction came through
                kafka_failures += 1
                delay = _KAFKA_AWAY.delay(kafka_failures, self._random)
                log.warning("%s: Kafka: %s; going on from the last cursor in %.1f s", self.name, error, delay)
                await self._clock.sleep(delay)

    async def _poll_once(self, writer: FeedWriter) -> None:
        """One poll and the pause after it."""
        started = self._clock.monotonic()
        try:
            await self._poll(writer)
        except ProviderUnavailable as problem:
            self._failures += 1
            delay = max(_UNAVAILABLE.delay(self._failures, self._random), problem.retry_after or 0.0)
            log.warning("%s: %s; polled again in %.0f s", self.name, problem, delay)
            await self._clock.sleep(delay)
        except CredentialsRejected as problem:
            log.error(
                "%s: the credentials are not accepted (%s); this provider is not polled, and tried again every %.0f s",
                self.name,
                problem,
                CREDENTIALS_RETRY_S,
            )
            await self._clock.sleep(CREDENTIALS_RETRY_S)
        except BadResponse as problem:
            self._failures += 1
            await writer.bury(BrokenItem("bad-response", str(problem), problem.body))
            delay = _UNAVAILABLE.delay(self._failures, self._random)
            log.warning("%s: %s; polled again in %.0f s", self.name, problem, delay)
            await self._clock.sleep(delay)
        else:
            self._failures = 0
            await self._clock.sleep(max(0.0, started + self._feed.interval_s - self._clock.monotonic()))

    async def _poll(self, writer: FeedWriter) -> None:
        written = 0
        async for page in self._feed.poll(writer.cursor):
            written += await writer.write(page)
        if written:
            log.info("%s: %d new changes", self.name, written)

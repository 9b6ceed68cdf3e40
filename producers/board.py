"""The status board: what each feed is doing, in Kafka, so that `changecast provider list` can tell from anywhere.

It has a producer of its own and never stands in the way of a page's transaction: when Kafka is away, the board is behind.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from producers.report import FeedReport
from runtime.kafka import Cluster

log = logging.getLogger(__name__)

EVERY_S = 10.0
"""A status is written at least this often, so that its age tells whether its worker lives."""
AT_MOST_EVERY_S = 1.0
"""Changes of state are written at once, but a feed that flutters writes no more than this."""
_STOP_S = 2.0


def worker_name() -> str:
    """Where and what the worker is, for people: `host:pid`."""
    return f"{socket.gethostname()}:{os.getpid()}"


class StatusBoard:
    """Writes the reports' statuses until cancelled."""

    def __init__(self, cluster: Cluster, rate_of: Callable[[str], float | None]) -> None:
        self._cluster = cluster
        self._rate_of = rate_of
        self._worker = worker_name()
        self._changed = asyncio.Event()
        self.lent_to: Callable[[str], list[str]] = lambda _: []
        self.reports: list[FeedReport] = []

    def changed(self) -> None:
        """A report has changed: it is written soon."""
        self._changed.set()

    async def run(self) -> None:
        while True:
            try:
                async with self._producer() as producer:
                    while True:
                        await self._write(producer, self.reports)
                        await asyncio.sleep(AT_MOST_EVERY_S)
                        await self._next_change()
            except (KafkaError, ConnectionError) as error:
                log.info("the feeds' status can't be written: %s", error)
                await asyncio.sleep(EVERY_S)

    async def stopped(self) -> None:
        """The last word of a worker that ends in order; without it the next reader sees how old the status is."""
        for report in self.reports:
            report.stopped()
        try:
            async with asyncio.timeout(_STOP_S), self._producer() as producer:
                await self._write(producer, self.reports)
        except (KafkaError, ConnectionError, TimeoutError) as error:
            log.info("the feeds' last status can't be written: %s", error)

    async def _next_change(self) -> None:
        try:
            async with asyncio.timeout(EVERY_S - AT_MOST_EVERY_S):
                await self._changed.wait()
        except TimeoutError:
            pass
        self._changed.clear()

    def _producer(self) -> AIOKafkaProducer:
        return self._cluster.producer()

    async def _write(self, producer: AIOKafkaProducer, reports: Sequence[FeedReport]) -> None:
        topic = self._cluster.topics.cursors.name
        for report in reports:
            status = report.status(self._worker, self._rate_of(report.provider))
            status = status.model_copy(update={"lent_to": self.lent_to(report.provider)})
            await producer.send(topic, status.to_json(), key=status.key)
        await producer.flush()

"""Every attempt as a record in `changecast.deliveries`, written behind the deliveries and not in their way."""

from __future__ import annotations

import asyncio
from collections import deque

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.delivery import Attempt

_MAX_WAITING = 50_000
"""Records that wait for the broker. Beyond it deliveries go on and the oldest records are given up: the log says how many."""


class Journal:
    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._waiting: deque[Attempt] = deque(maxlen=_MAX_WAITING)
        self._some = asyncio.Event()
        self._sent: set[asyncio.Future[object]] = set()
        self.lost = 0

    def write(self, attempt: Attempt) -> None:
        if len(self._waiting) == _MAX_WAITING:
            self.lost += 1
        self._waiting.append(attempt)
        self._some.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            await self._send()

    async def flush(self) -> None:
        """Return when all that was written is acknowledged. Raises KafkaError."""
        await self._send()
        await self._producer.flush()

    async def _send(self) -> None:
        while self._waiting:
            attempt = self._waiting.popleft()
            sent = await self._producer.send(self._topic, attempt.to_json(), key=attempt.subscription.encode())
            self._sent.add(sent)
            sent.add_done_callback(self._acknowledged)

    def _acknowledged(self, sent: asyncio.Future[object]) -> None:
        self._sent.discard(sent)
        if not sent.cancelled() and isinstance(sent.exception(), KafkaError):
            self.lost += 1

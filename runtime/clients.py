"""aiokafka's clients, with ends that are not mistaken for a cancellation, nor the other way round.

A client ends its own tasks by cancelling them, and waits for them with CancelledError suppressed: a task that is cancelled while it
stops a client would never hear of it, and go on. And a consumer that loses its broker while it stops raises the CancelledError of its
own tasks, as if somebody had cancelled the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient


@contextmanager
def _cancelled_only_from_outside() -> Iterator[None]:
    """Raises CancelledError at its end when this task was cancelled within, and only then."""
    task = asyncio.current_task()
    assert task is not None
    asked = task.cancelling()
    try:
        yield
    except asyncio.CancelledError:
        if task.cancelling() > asked:
            raise
    else:
        if task.cancelling() > asked:
            raise asyncio.CancelledError


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    async def stop(self) -> None:
        with _cancelled_only_from_outside():
            try:
                await super().stop()
            finally:
                # left out when the fetcher's tasks ended by an error; the second time does nothing
                await self._client.close()


class Producer(AIOKafkaProducer):  # type: ignore[misc]
    async def stop(self) -> None:
        with _cancelled_only_from_outside():
            await super().stop()


class AdminClient(AIOKafkaAdminClient):  # type: ignore[misc]
    async def close(self) -> None:
        with _cancelled_only_from_outside():
            await super().close()

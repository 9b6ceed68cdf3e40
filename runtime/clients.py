"""aiokafka's clients, with ends that are not mistaken for a cancellation, nor the other way round.

A client ends its own tasks by cancelling them, and waits for them with CancelledError suppressed: a task that is cancelled while it
stops a client would never hear of it, and go on. And a consumer that loses its broker while it stops raises the CancelledError of its
own tasks, as if somebody had cancelled the caller.

A producer whose transaction has failed, as when it is fenced, answers with ProducerFenced or with IllegalOperation or AssertionError,
depending on which call comes next: `Producer.transaction` raises the error that ended it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, IllegalOperation
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

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commits at its end, and aborts on an exception. Raises KafkaError, ProducerFenced where the id has another producer."""
        failure: BaseException | None = None
        try:
            async with super().transaction():
                try:
                    yield
                except BaseException:
                    failure = self._failure()  # before the abort, which forgets it
                    raise
        except BaseException as error:
            failure = failure or self._failure()
            if failure is None or not isinstance(error, IllegalOperation | AssertionError):
                raise
            raise failure from error

    def _failure(self) -> BaseException | None:
        """What ended the current transaction, or the last one of a producer that can begin no more."""
        ended: asyncio.Future[None] | None = self._txn_manager.wait_for_transaction_end() if self._txn_manager else None
        return ended.exception() if ended is not None and ended.done() and not ended.cancelled() else None


class AdminClient(AIOKafkaAdminClient):  # type: ignore[misc]
    async def close(self) -> None:
        with _cancelled_only_from_outside():
            await super().close()

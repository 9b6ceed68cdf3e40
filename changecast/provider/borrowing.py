"""Work for which polling makes room: a command spends requests that the worker leaves to it, so both stay within one budget."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from changecast.provider.feeds import STALE_AFTER, count_workers
from producers.lending import KEPT_S
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from schemas.feed_status import FeedState, FeedStatus, read_status
from schemas.loan import Loan

T = TypeVar("T")

RENEWED_EVERY_S = 5.0
_RENEWED_WITHIN_S = KEPT_S / 2
"""A command that can't say that it goes on ends before the worker takes the requests back."""
_WINDOW_S = 1.1
"""Rates are requests in any second: whoever takes over a part of one lets the other's last requests grow older than that."""
_POLL_MS = 500


def holder_name(command: str) -> str:
    """Who holds a loan, for people: `backfill-host-pid`. A colon would end it."""
    return f"{command}-{socket.gethostname()}-{os.getpid()}".replace(":", "-")


async def borrowing(
    cluster: Cluster, loan: Loan, work: Callable[[], Coroutine[Any, Any, T]], say: Callable[[str], None] = lambda _: None
) -> T:
    """Do the work when polling has made room for it, and give the room back. Where nobody polls there is nothing to wait for.

    `say` is told what is waited for. Raises what the work raises, and KafkaError or TimeoutError when the loan can't be renewed.
    """
    topic = cluster.topics.cursors
    await ensure_topics(cluster, [topic])
    consumer, producer = cluster.consumer(group_id=None), cluster.producer()
    await consumer.start()
    try:
        await producer.start()
        partition = TopicPartition(topic.name, 0)
        consumer.assign([partition])
        await consumer.seek_to_end(partition)
        await consumer.position(partition)  # from here on, and not from wherever the end is when it first reads
        # before workers are counted: one that begins to poll now reads it first
        await _announce(producer, topic.name, loan)
        renewing = asyncio.create_task(_renew(producer, topic.name, loan))
        try:
            await _first(renewing, _granted(cluster, consumer, loan, say))
            return await _first(renewing, work())
        finally:
            renewing.cancel()
            await asyncio.sleep(_WINDOW_S)
            await producer.send_and_wait(topic.name, None, key=loan.key)
    finally:
        await producer.stop()
        await consumer.stop()


async def _renew(producer: AIOKafkaProducer, topic: str, loan: Loan) -> None:
    while True:
        await asyncio.sleep(RENEWED_EVERY_S)
        await _announce(producer, topic, loan)


async def _announce(producer: AIOKafkaProducer, topic: str, loan: Loan) -> None:
    async with asyncio.timeout(_RENEWED_WITHIN_S):
        await producer.send_and_wait(topic, loan.to_json(), key=loan.key)


async def _first(renewing: asyncio.Task[None], work: Awaitable[T]) -> T:
    """What the work returns; it is cancelled when the renewing has failed."""
    doing = asyncio.ensure_future(work)
    try:
        await asyncio.wait([renewing, doing], return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            await renewing
        return await doing
    finally:
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)


async def _granted(cluster: Cluster, consumer: AIOKafkaConsumer, loan: Loan, say: Callable[[str], None]) -> None:
    """Return when the worker that polls has told that it lends, or when nobody polls this provider."""
    loop = asyncio.get_running_loop()
    heard, asked, told = loop.time(), False, False
    while True:
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for record in records:
                status = _status_of(record.key, record.value, loan.provider)
                if status is None or status.state is FeedState.STOPPED:
                    continue
                heard = loop.time()
                if status.lent_to is None or loan.holder in status.lent_to:
                    await asyncio.sleep(_WINDOW_S)
                    return
                if asked and status.lent_to and not told:
                    say(f"{loan.provider}: waiting for what polling lends to {', '.join(status.lent_to)}")
                    told = True
        asked = True
        if loop.time() - heard > STALE_AFTER.total_seconds() or not await count_workers(cluster):
            return


def _status_of(key: bytes, value: bytes | None, provider: str) -> FeedStatus | None:
    status = read_status(key, value)
    return status if status is not None and status.provider == provider else None

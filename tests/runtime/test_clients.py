"""A task that is cancelled while it stops a client of Kafka must end, wherever in the stop that happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from aiokafka.errors import ProducerFenced

from runtime.clients import Producer
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from tests.eventually import until

Stop = Callable[[], Awaitable[None]]
_TURNS = 30
"""More than any of these stops takes, as most of them are over by then."""


@pytest.fixture
async def cluster(bootstrap_servers: str, topic_prefix: str) -> Cluster:
    return Cluster.at(bootstrap_servers, topic_prefix)


async def _reader(cluster: Cluster) -> Stop:
    consumer = cluster.consumer(group_id=None)
    await consumer.start()
    return consumer.stop


async def _writer(cluster: Cluster) -> Stop:
    producer = cluster.producer()
    await producer.start()
    return producer.stop


async def _admin(cluster: Cluster) -> Stop:
    context = cluster.admin()
    await context.__aenter__()

    async def leave() -> None:
        await context.__aexit__(None, None, None)

    return leave


@pytest.mark.parametrize("started", [_reader, _writer, _admin])
async def test_a_task_cancelled_while_it_stops_a_client_does_not_go_on(
    cluster: Cluster, started: Callable[[Cluster], Awaitable[Stop]]
) -> None:
    went_on = []
    for turns in range(1, _TURNS):
        stop = await started(cluster)

        async def stop_and_go_on(stop: Stop = stop) -> None:
            await stop()
            went_on.append(asyncio.current_task())

        task = asyncio.create_task(stop_and_go_on())
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.done():
            break
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), f"not when cancelled after {turns} turns of the loop"
    else:
        pytest.fail(f"the stop took more than {_TURNS} turns of the loop")
    assert len(went_on) == 1


async def test_a_stop_during_which_a_task_of_its_own_is_cancelled_returns(cluster: Cluster) -> None:
    consumer = cluster.consumer(group_id=None)
    await consumer.start()
    forever = asyncio.create_task(asyncio.Event().wait())
    # what a fetch that hangs on a broker that is gone looks like to the fetcher's close
    consumer._coordinator._reset_committed_task.cancel()
    consumer._coordinator._reset_committed_task = forever
    await asyncio.wait_for(consumer.stop(), 10)
    assert forever.cancelled()


@pytest.fixture
async def topic(cluster: Cluster) -> str:
    await ensure_topics(cluster, [cluster.topics.deliveries])
    return cluster.topics.deliveries.name


async def _fence(cluster: Cluster, producer: Producer, topic: str, transactional_id: str) -> None:
    """Let another producer take over the id within this one's transaction, and this one's background task learn of it."""
    await producer.send_and_wait(topic, b"open", partition=0)
    async with cluster.transactional_producer(transactional_id):
        with suppress(ProducerFenced):
            await producer.send_and_wait(topic, b"refused", partition=1)  # a partition that the transaction has yet to add
    await until(producer._sender.sender_task.done)


async def test_a_fenced_producer_says_so_whichever_call_comes_next(cluster: Cluster, topic: str, topic_prefix: str) -> None:
    async with cluster.transactional_producer(f"{topic_prefix}-id") as fenced:
        with pytest.raises(ProducerFenced):
            async with fenced.transaction():
                await _fence(cluster, fenced, topic, f"{topic_prefix}-id")
                await fenced.send(topic, b"later", partition=0)
        with pytest.raises(ProducerFenced):
            async with fenced.transaction():
                await fenced.send(topic, b"another transaction", partition=0)


async def test_a_producer_that_is_fenced_before_it_commits_says_so(cluster: Cluster, topic: str, topic_prefix: str) -> None:
    async with cluster.transactional_producer(f"{topic_prefix}-id") as fenced:
        with pytest.raises(ProducerFenced):
            async with fenced.transaction():
                await _fence(cluster, fenced, topic, f"{topic_prefix}-id")


async def test_a_misuse_of_a_transaction_is_not_hidden(cluster: Cluster, topic: str, topic_prefix: str) -> None:
    async with cluster.transactional_producer(f"{topic_prefix}-id") as producer:
        with pytest.raises(AssertionError, match="Invalid state transition"):
            async with producer.transaction():
                await producer.commit_transaction()
                await producer.send(topic, b"after the commit", partition=0)

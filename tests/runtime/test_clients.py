"""A task that is cancelled while it stops a client of Kafka must end, wherever in the stop that happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from runtime.kafka import Cluster

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

"""How many retries wait, by subscription: told without reading the retry topics for it."""

from __future__ import annotations

from typing import Any

from runtime.kafka import Cluster
from schemas.config import Metrics
from sinks.parcel import Parcel
from sinks.shard import Shard
from sinks.topics import retry_topics
from sinks.tracker import Position
from tests.eventually import until
from tests.scraping import free_port, scrape
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook

TOPICS = Cluster.at("127.0.0.1:1").topics
RETRY = retry_topics(TOPICS)["1s"].name


def shard(inherited: int = 0) -> Shard:
    producer: Any = None  # nothing is written here
    return Shard(TOPICS, 0, producer, {RETRY: Position(0, 0)}, {RETRY: inherited})


def parcel(attempts: int) -> Parcel:
    return Parcel("hook", b"{}", attempts, 2.0, "changes", 0, 0)


def test_a_retry_counts_from_the_failure_to_the_end_of_its_next_attempt() -> None:
    one = shard()
    one.park(parcel(1), 0.0)
    assert one.parked["hook"] == 1
    one.found(parcel(1), RETRY, 0)
    assert one.parked["hook"] == 1
    one.settle(RETRY, 0, "hook")
    one.settle(RETRY, 0, "hook")
    assert one.parked["hook"] == 0


def test_what_an_earlier_owner_left_counts_once_it_is_read() -> None:
    one = shard(inherited=1)
    one.found(parcel(3), RETRY, 0)
    one.park(parcel(1), 0.0)
    one.found(parcel(1), RETRY, 1)
    assert one.parked["hook"] == 2


def test_what_an_operator_sends_again_counts_once_also_when_there_is_no_room_for_it_yet() -> None:
    one = shard()
    one.found(parcel(0), RETRY, 0)
    assert one.parked["hook"] == 1
    one.park(parcel(0).deferred(0.0, 0.0), 0.0)
    one.settle(RETRY, 0, "hook")
    one.found(parcel(0), RETRY, 1)
    assert one.parked["hook"] == 1
    one.settle(RETRY, 1, "hook")
    assert one.parked["hook"] == 0


async def test_the_retries_that_a_worker_leaves_behind_are_the_next_ones(world: World) -> None:
    failing = True

    async def moody(call: Call) -> int:
        return 500 if failing else 200

    port = free_port()
    url = f"http://127.0.0.1:{port}"

    async def parked(count: int) -> bool:
        return (await scrape(url)).of("changecast_deliveries_parked", subscription="hook") == [count]

    async with receiving(moody) as receiver:
        config = config_of(webhook("hook", receiver.url), retry_schedule=["5s", "5s"], breaker={"failed": 1})
        config = config.model_copy(update={"metrics": Metrics(port=port)})
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(5)))
            await until(lambda: parked(5))
        async with world.working(config):
            await until(lambda: parked(5))
            failing = False
            await until(lambda: parked(0))
            page = await scrape(url)
        await until(lambda: len(receiver.calls) == 10)
    assert page.value("changecast_deliveries_total", subscription="hook", outcome="delivered") == 5
    assert page.value("changecast_deliveries_queued", subscription="hook") == 0

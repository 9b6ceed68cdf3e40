"""The worker as a whole: from the changes topics to receivers, through a real Kafka."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from standardwebhooks import Webhook

from runtime.clock import SystemClock
from runtime.kafka import Cluster
from runtime.pulse import StoodStill
from schemas.delivery import Outcome
from sinks.metrics import SinksMetrics
from sinks.worker import Worker
from tests.eventually import until
from tests.sinks.worlds import SECRET, Call, World, change_event, config_of, receiving, webhook


async def test_an_event_reaches_the_webhook_that_wants_it_and_a_stock_verifier_accepts_it(world: World) -> None:
    async with receiving() as receiver:
        config = config_of(
            webhook("stills", f"{receiver.url}/stills", match={"key": "images"}),
            webhook("titles", f"{receiver.url}/titles", match={"key": "title"}),
        )
        async with world.working(config):
            event = change_event()
            await world.publish(event)
            await until(lambda: receiver.calls)
        (call,) = receiver.calls
        assert call.path == "/stills"
        assert call.body == event.to_json()
        assert call.headers["content-type"] == "application/cloudevents+json"
        assert call.headers["user-agent"].startswith("changecast/")
        assert "." not in call.id
        Webhook(SECRET).verify(call.body, call.headers)
    (attempt,) = await world.attempts()
    assert (attempt.outcome, attempt.status_code, attempt.attempt) == (Outcome.DELIVERED, 200, 1)
    assert attempt.name == "Game of Thrones S01E02 The Kingsroad"
    assert attempt.address == "127.0.0.1"


async def test_a_receiver_that_fails_twice_gets_three_calls_with_one_id_and_three_fresh_signatures(world: World) -> None:
    async def twice(call: Call) -> int:
        return 500 if len(receiver.calls) <= 2 else 200

    async with receiving(twice) as receiver, world.working(config_of(webhook("hook", receiver.url))):
        await world.publish(change_event())
        await until(lambda: len(receiver.calls) == 3)
        await until(lambda: _count(world, 3))
    assert len({call.id for call in receiver.calls}) == 1
    assert len({call.headers["webhook-timestamp"] for call in receiver.calls}) == 3
    for call in receiver.calls:
        Webhook(SECRET).verify(call.body, call.headers)
    attempts = await world.attempts()
    assert [attempt.outcome for attempt in attempts] == [Outcome.RETRY, Outcome.RETRY, Outcome.DELIVERED]
    assert [attempt.attempt for attempt in attempts] == [1, 2, 3]


async def _count(world: World, count: int) -> bool:
    return len(await world.attempts()) == count


async def test_after_the_last_attempt_the_event_is_in_the_dead_topic_with_its_origin(world: World) -> None:
    async def never(call: Call) -> int:
        return 503

    async with receiving(never) as receiver:
        async with world.working(config_of(webhook("hook", receiver.url), retry_schedule=["1s", "200ms"])):
            event = change_event()
            await world.publish(event)
            await until(lambda: _count(world, 3))
        assert len(receiver.calls) == 3
    (dead,) = await world.records(world.cluster.topics.dead.name)
    headers = dict(dead.headers)
    assert dead.value == event.to_json()
    assert headers["changecast-reason"] == b"attempts-exhausted"
    assert headers["changecast-attempts"] == b"3"
    assert headers["changecast-subscription"] == b"hook"
    assert headers["changecast-origin-topic"] == world.cluster.topics.changes("tmdb").name.encode()
    assert (await world.attempts())[-1].outcome is Outcome.DEAD


async def test_events_of_one_entity_arrive_in_order_also_side_by_side_with_others(world: World) -> None:
    async with receiving() as receiver, world.working(config_of(webhook("hook", receiver.url, concurrency=16))):
        await world.publish(*(change_event(number, entity_id=str(number % 7)) for number in range(300)))
        await until(lambda: len(receiver.calls) >= 300)
    seen: dict[str, list[int]] = {}
    for call in receiver.calls:
        event = Webhook(SECRET).verify(call.body, call.headers)
        seen.setdefault(event["subject"], []).append(int(event["id"].rsplit("-", 1)[1]))
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    assert sum(map(len, seen.values())) == 300


async def test_a_slow_neighbour_delays_nobody(world: World) -> None:
    released = asyncio.Event()

    async def slowly(call: Call) -> int:
        if call.path == "/slow":
            await released.wait()
        return 200

    async with receiving(slowly) as receiver:
        config = config_of(webhook("slow", f"{receiver.url}/slow"), webhook("fast", f"{receiver.url}/fast"), queue=20)
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(200)))
            await until(lambda: len(receiver.to("/fast")) == 200)
            await until(lambda: len(receiver.to("/slow")) == 8)
            released.set()
            await until(lambda: len(receiver.to("/slow")) == 200)
    assert set(Counter(call.id for call in receiver.calls).values()) == {1}


async def test_a_restart_repeats_nothing_that_was_answered(world: World) -> None:
    async with receiving() as receiver:
        config = config_of(webhook("hook", receiver.url))
        for start in range(3):
            async with world.working(config):
                await world.publish(*(change_event(number, entity_id=str(start)) for number in range(20)))
                await until(lambda: len(receiver.calls) >= 20 * (start + 1))  # noqa: B023
    assert len(receiver.calls) == 60


async def test_a_410_disables_the_endpoint_and_the_state_says_why(world: World) -> None:
    async def gone(call: Call) -> int:
        return 410

    async with receiving(gone) as receiver:
        config = config_of(webhook("hook", receiver.url, concurrency=1))
        async with world.working(config):
            await world.publish(*(change_event(number) for number in range(5)))
            await until(lambda: _disabled(world))
        async with world.working(config):
            await world.publish(change_event(9))
            await asyncio.sleep(0.5)
        assert len(receiver.calls) == 1


async def _disabled(world: World) -> bool:
    records = await world.records(world.cluster.topics.endpoints.name)
    return any(b"410" in record.value for record in records)


class PausedClock(SystemClock):
    """`pause` seconds have passed in which the process stood still."""

    def __init__(self) -> None:
        self.pause = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.pause


class PausedAtTheStart(Cluster):
    """The process stands still for longer than its session while its consumer joins the group."""

    clock = PausedClock()

    def consumer(self, *topics: str, **options: Any) -> AIOKafkaConsumer:
        consumer = super().consumer(*topics, **options)
        if options.get("group_id") is not None:
            start = consumer.start

            async def paused() -> None:
                await start()
                self.clock.pause += 16.0

            consumer.start = paused
        return consumer


async def test_a_worker_that_stood_still_while_it_joined_ends_before_it_sends_anything(world: World) -> None:
    cluster = PausedAtTheStart(world.cluster.settings)
    async with receiving() as receiver:
        config = config_of(webhook("stills", f"{receiver.url}/stills", match={"key": "images"}))
        metrics = SinksMetrics(cluster.topics, cluster.clock)
        worker = Worker(config, cluster, cluster.clock, Random(1), metrics)
        with pytest.raises(StoodStill):
            await asyncio.wait_for(worker.run(asyncio.Event()), 30)
    assert receiver.calls == []

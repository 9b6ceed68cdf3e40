"""Retries through their durable topics: exact counts over restarts, emptied topics, endpoints that are no more."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.delivery import Attempt, Outcome
from sinks import parcel, returns
from sinks.topics import retry_topics
from tests.eventually import until
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook


async def attempts(world: World, outcome: Outcome, count: int) -> bool:
    return sum(attempt.outcome is outcome for attempt in await world.attempts()) >= count


async def retries(world: World) -> list[Any]:
    return [record for topic in retry_topics(world.cluster.topics).values() for record in await world.records(topic.name)]


async def test_a_schedule_of_n_delays_makes_n_plus_one_calls_also_across_restarts(world: World) -> None:
    async def never(call: Call) -> int:
        return 500

    async with receiving(never) as receiver:
        config = config_of(webhook("hook", receiver.url), retry_schedule=["1s", "200ms", "1s", "200ms"], breaker={"failed": 1})
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(3)))
            await until(lambda: len(receiver.calls) >= 5)
        async with world.working(config):
            await until(lambda: len(receiver.calls) >= 9)
        async with world.working(config):
            await until(lambda: attempts(world, Outcome.DEAD, 3))
        assert len(receiver.calls) == 15
    dead = await world.records(world.cluster.topics.dead.name)
    assert [dict(record.headers)["changecast-attempts"] for record in dead] == [b"5"] * 3
    by_event: dict[str, list[Attempt]] = {}
    for attempt in await world.attempts():
        by_event.setdefault(attempt.event_id, []).append(attempt)
    for made in by_event.values():
        assert [attempt.attempt for attempt in made] == [1, 2, 3, 4, 5]
        for before, after in itertools.pairwise(made):
            assert before.next_at is not None
            assert after.at >= before.next_at


async def test_retry_topics_are_emptied_when_their_deliveries_are_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returns, "_DELETE_EVERY_S", 0.3)
    failed: set[str] = set()

    async def once(call: Call) -> int:
        if call.id in failed:
            return 200
        failed.add(call.id)
        return 503

    async with receiving(once) as receiver, world.working(config_of(webhook("hook", receiver.url), breaker={"failed": 1})):
        await world.publish(*(change_event(number, entity_id=str(number)) for number in range(6)))
        await until(lambda: attempts(world, Outcome.DELIVERED, 6))
        await until(lambda: _empty(world))


async def _empty(world: World) -> bool:
    consumer = world.cluster.consumer(group_id=None)
    await consumer.start()
    try:
        topics = [topic.name for topic in retry_topics(world.cluster.topics).values()]
        partitions = [TopicPartition(topic, number) for topic in topics for number in range(world.cluster.topics.partitions)]
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        written = [partition for partition in partitions if ends[partition] > 0]
        # the marker of the last transaction stays
        return bool(written) and all(ends[partition] - begins[partition] <= 1 for partition in written)
    finally:
        await consumer.stop()


async def test_an_open_breaker_leaves_the_endpoint_alone_and_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "_DEFER_FIRST_S", 0.5)
    broken = True

    async def answer(call: Call) -> int:
        return 500 if broken else 200

    async with receiving(answer) as receiver:
        breaker = {"requests": 5, "failed": 0.7, "open_for": "2s"}
        config = config_of(webhook("hook", receiver.url, concurrency=2), retry_schedule=["1s"] * 20, breaker=breaker)
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(100)))
            await until(lambda: len(receiver.calls) >= 5)
            await asyncio.sleep(1)
            # five, and what was in flight beside the fifth
            assert len(receiver.calls) <= 7
            broken = False
            await until(lambda: attempts(world, Outcome.DELIVERED, 100))
    delivered = [attempt for attempt in await world.attempts() if attempt.outcome is Outcome.DELIVERED]
    assert len({attempt.event_id for attempt in delivered}) == len(delivered) == 100


async def test_an_event_that_is_too_large_goes_as_its_thin_form_and_says_so(world: World) -> None:
    async with receiving() as receiver, world.working(config_of(webhook("hook", receiver.url), max_body_bytes=600)):
        await world.publish(change_event(name="x" * 200))
        await until(lambda: receiver.calls)
    (call,) = receiver.calls
    assert b"urn:changecast:schema:thin:1" in call.body
    assert b"more than the 600 that are sent" in call.body

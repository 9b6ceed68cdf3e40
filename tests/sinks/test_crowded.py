"""More retries open in one partition than a commit can name: they stay in their topic, and nobody else waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.clock import SystemClock
from runtime.pulse import Pulse
from sinks import parcel as parcels
from sinks import returns
from sinks.answer import Answer
from sinks.endpoint import Bounds, Endpoint
from sinks.event import Event
from sinks.parcel import Parcel, read_parcel
from sinks.returns import Returns
from sinks.shard import Shard
from sinks.states import EndpointStates
from sinks.topics import retry_topics, transactional_id
from sinks.tracker import MAX_METADATA_CHARS, MOST_OPEN, Position, Tracker, decode
from tests.eventually import until
from tests.sinks.test_endpoint import Taking, endpoint_to
from tests.sinks.worlds import World, change_event, config_of, webhook

STUCK = {"wide": 450, **{f"narrow{number}": 110 for number in range(6)}}
"""Endpoints that never answer, and how many retries each has: more than one of them, and all of them without it, may hold open."""


@given(st.integers(0, 2**60), st.lists(st.integers(1, 2**28 - 1), min_size=1, max_size=8))
@example(0, [2**28 - 1])
def test_as_many_open_retries_as_are_read_fit_into_a_commit_wherever_they_stand(start: int, gaps: list[int]) -> None:
    tracker, offset = Tracker(start), start
    for number in range(MOST_OPEN):
        offset += gaps[number % len(gaps)]
        tracker.passed(offset, ["hook"])
    position = decode(*tracker.commit())
    assert position.upto == tracker.position
    assert len(position.open) == MOST_OPEN


@given(st.integers(0, 3000))
def test_a_common_stream_is_crowded_before_a_commit_leaves_something_out(count: int) -> None:
    tracker = Tracker(0)
    for offset in range(count):
        tracker.passed(offset * 40, ["slow"], 2)
    if not tracker.crowded:
        assert decode(*tracker.commit(MAX_METADATA_CHARS)).upto == tracker.position


class Hanging(Taking):
    """Never answers."""

    async def send(self, events: Sequence[Event]) -> Answer:
        await asyncio.Event().wait()
        return await super().send(events)


async def test_retries_of_slow_endpoints_keep_to_what_a_commit_can_name_and_let_others_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returns, "_CROWDED_S", 0.1)
    pulse = Pulse(SystemClock())
    topics = world.cluster.topics
    topic, changes = retry_topics(topics)["1s"].name, topics.changes("tmdb").name
    well = Taking()
    endpoints: dict[str, Endpoint] = {
        name: endpoint_to(Hanging(), Bounds(4000, concurrency=1000 if name == "wide" else 1), name=name, pulse=pulse)
        for name in STUCK
    }
    endpoints["well"] = endpoint_to(well, Bounds(), name="well", pulse=pulse)
    async with world.cluster.transactional_producer(transactional_id(topics, 0)) as producer:
        positions = {found.name: Position(0, 0) for found in retry_topics(topics).values()}
        retries = [
            *((name, number) for name, count in STUCK.items() for number in range(count)),
            *(("well", number) for number in range(20)),
        ]
        shard = Shard(topics, 0, producer, {changes: Position(0, 0), **positions}, {topic: len(retries)})
        await _park(world, topic, retries)
        most, stop = 0, asyncio.Event()

        async def commit() -> None:
            nonlocal most
            while not stop.is_set():
                most = max(most, *(tracker.open_count for tracker in shard.retries.values()))
                if (step := shard.step()) is not None:
                    await shard.write(step)
                await asyncio.sleep(0.02)

        reading = await _returns(world, shard, endpoints, producer)
        tasks = [asyncio.create_task(reading.run()), asyncio.create_task(pulse.run()), asyncio.create_task(commit())]
        await until(lambda: len(well.taken) == 20)
        stop.set()
        await tasks.pop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert {name: shard.parked[name] for name in STUCK} == STUCK  # nothing of them is lost
    assert MOST_OPEN // 2 < most <= MOST_OPEN
    for endpoint in endpoints.values():
        await endpoint.aclose()


async def test_what_its_endpoint_does_not_take_is_deferred_for_longer_each_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "_DEFER_FIRST_S", 0.02)
    topics = world.cluster.topics
    topic, changes = retry_topics(topics)["1s"].name, topics.changes("tmdb").name
    blocked = endpoint_to(Taking(), Bounds())
    blocked.hold()
    deferrals: list[int] = []
    async with world.cluster.transactional_producer(transactional_id(topics, 0)) as producer:
        positions = {found.name: Position(0, 0) for found in retry_topics(topics).values()}
        shard = Shard(topics, 0, producer, {changes: Position(0, 0), **positions})
        await _park(world, topic, [("hook", 1)])
        reading = await _returns(world, shard, {"hook": blocked}, producer)
        task = asyncio.create_task(reading.run())

        async def deferred_five_times() -> bool:
            if (step := shard.step()) is not None:
                deferrals.extend(read_parcel(out.value, out.headers).deferrals for out in step.outs)
                await shard.write(step)
            return len(deferrals) >= 5

        await until(deferred_five_times)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert deferrals[:5] == [1, 2, 3, 4, 5]  # each of them is twice as long: see test_retry


async def _returns(world: World, shard: Shard, endpoints: dict[str, Endpoint], producer: AIOKafkaProducer) -> Returns:
    day, clock, random, ignore = timedelta(days=1), SystemClock(), Random(1), cast("Any", None)
    states = EndpointStates(world.cluster, producer, clock, random, disable_after=day, grace=day)
    await states.load(config_of(*(webhook(name, "http://127.0.0.1/") for name in endpoints)).subscriptions)
    return Returns(world.cluster, shard, endpoints, ignore, states, clock, random, 512 * 1024)


async def _park(world: World, topic: str, retries: list[tuple[str, int]]) -> None:
    now = SystemClock().now().timestamp()
    origin = (world.cluster.topics.changes("tmdb").name, 0)
    async with world.cluster.producer() as producer:
        sent = []
        for name, number in retries:
            value = change_event(number, entity_id=f"{name}-{number}").to_json()
            parcel = Parcel(name, value, 1, now, *origin, number, ready=now)
            sent.append(await producer.send(topic, value, partition=0, headers=parcel.headers()))
        await asyncio.gather(*sent)

"""What is overdue by days, or sent again by the thousand: no stampede, and live traffic first."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

from changecast.deliveries.parcels import send
from schemas.delivery import Outcome
from sinks.parcel import Parcel, read_parcel
from sinks.topics import retry_topics
from tests.eventually import until
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook

DAYS = timedelta(days=3).total_seconds()


async def overdue(world: World, count: int) -> AsyncIterator[Parcel]:
    """Deliveries that should have gone out three days ago, before all workers stood still."""
    topic = world.cluster.topics.changes("tmdb").name
    for number in range(count):
        event = change_event(number, entity_id=f"old{number}")
        yield Parcel("hook", event.to_json(), 2, time.time() - DAYS, topic, number % world.cluster.topics.partitions, number)


async def test_thousands_that_are_overdue_by_days_neither_stampede_nor_hold_up_what_is_live(
    world: World,
) -> None:
    side_by_side = most = 0

    async def answer(call: Call) -> int:
        nonlocal side_by_side, most
        side_by_side += 1
        most = max(most, side_by_side)
        await asyncio.sleep(0.01)
        side_by_side -= 1
        return 200

    old, live = 1000, 30
    async with receiving(answer) as receiver:
        await send(world.cluster, overdue(world, old), lambda done: None)
        async with world.working(config_of(webhook("hook", receiver.url, concurrency=4))):
            await until(lambda: len(receiver.calls) >= 20)
            await world.publish(*(change_event(number, entity_id=f"live{number}") for number in range(live)))
            await until(lambda: len([call for call in receiver.calls if b"episode:live" in call.body]) == live)
            before = len(receiver.calls)
            await until(lambda: len(receiver.calls) >= old + live, 90)
            await until(lambda: delivered(world, old + live))
    assert before < old + live  # what was live did not wait for the rest
    assert most <= 4
    assert max(Counter(call.id for call in receiver.calls).values()) == 1
    tries = {attempt.attempt for attempt in await world.attempts() if attempt.subject.startswith("tmdb:episode:old")}
    assert tries == {3}  # the count goes on where it was
    records = [record for topic in retry_topics(world.cluster.topics).values() for record in await world.records(topic.name)]
    parcels = [read_parcel(record.value, record.headers) for record in records]
    waits = [parcel for parcel in parcels if parcel.due > time.time() - DAYS / 2]
    # what had no room came back in its turn: twice as late each time is for an endpoint that takes nothing
    assert waits
    assert {wait.deferrals for wait in waits} == {0}


async def delivered(world: World, count: int) -> bool:
    return sum(attempt.outcome is Outcome.DELIVERED for attempt in await world.attempts()) == count


async def test_a_webhooks_rate_is_kept_over_first_attempts_and_retries(world: World) -> None:
    async def moody(call: Call) -> int:
        return 500 if len(receiver.calls) % 3 == 0 else 200

    async with receiving(moody) as receiver:
        config = config_of(webhook("hook", receiver.url, rate=10), retry_schedule=["1s"] * 9, breaker={"requests": 1000})
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(40)))
            await until(lambda: delivered(world, 40))
    times = [call.at for call in receiver.calls]
    assert len(times) > 40
    # in any second at most ten, and those that the bucket had saved up
    for begin in times:
        assert len([at for at in times if begin <= at < begin + 1]) <= 2 * 10
    assert times[-1] - times[0] >= (len(times) - 10) / 10 * 0.9


async def test_an_offset_is_committed_when_its_delivery_is_settled_and_not_before(world: World) -> None:
    released = asyncio.Event()

    async def answer(call: Call) -> int:
        if json.loads(call.body)["id"].endswith("-3"):
            await released.wait()
        return 200

    async with receiving(answer) as receiver:
        async with world.working(config_of(webhook("hook", receiver.url, concurrency=20))):
            await world.publish(*(change_event(number, entity_id="one" if number == 3 else str(number)) for number in range(8)))
            await until(lambda: delivered(world, 7))
        # the worker has ended with that one in flight, and what it committed says so
        assert len(receiver.calls) == 8
        released.set()
        async with world.working(config_of(webhook("hook", receiver.url))):
            await until(lambda: len(receiver.calls) == 9)
            await world.publish(change_event(9))
            await until(lambda: len(receiver.calls) == 10)
    again = [call.id for call in receiver.calls[:9]]
    assert [json.loads(call.body)["id"].rsplit("-", 1)[1] for call in receiver.calls[8:]] == ["3", "9"]
    assert Counter(again).most_common(1)[0][1] == 2

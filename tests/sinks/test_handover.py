"""A receiver that takes long, beside workers that join and stop: each event arrives once, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from changecast.deliveries.parked import parked
from runtime import kafka
from runtime.clock import SystemClock
from schemas.config import Config
from schemas.delivery import Outcome
from schemas.handover import LateAnswer
from sinks import handover, worker
from sinks.answer import Answer
from sinks.delivery import Delivery
from sinks.endpoint import Bounds
from sinks.event import Event, read_event
from sinks.handover import Handover, late_answers
from sinks.shard import Shard
from sinks.topics import group_id, handover_topic, transactional_id
from sinks.tracker import Position
from sinks.worker import run
from tests.sinks.test_endpoint import Taking, endpoint_to
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, until, until_async, webhook

TIMEOUT_S = 6


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    # a worker learns by its next heartbeat that another has come or gone
    monkeypatch.setattr(kafka, "HEARTBEAT_MS", 300)
    for module in (handover, worker):
        monkeypatch.setattr(module, "HAND_OVER_S", 0.3)
    monkeypatch.setattr(handover, "_MARGIN_S", 1.0)


class Slow:
    """Answers /slow only when it is let go, with `status` for those that are named."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.under_way: list[str] = []
        self.statuses: dict[str, int] = {}

    async def answer(self, call: Call) -> int:
        if call.path != "/slow":
            return 200
        if not self.let_go.is_set():
            self.under_way.append(call.id)
            await self.let_go.wait()
        return self.statuses.pop(call.id, 200)


def two(url: str, **slow: int) -> Config:
    """Without a `concurrency` of its own, which would hold over all workers, each worker has up to 8 calls in flight."""
    return config_of(webhook("slow", f"{url}/slow", **slow), webhook("fast", f"{url}/fast"), timeout=f"{TIMEOUT_S}s", queue=50)


def events(first: int, count: int) -> list[object]:
    return [change_event(number, entity_id=str(number)) for number in range(first, first + count)]


async def members(world: World) -> int:
    """Of the stable group; 0 while it moves partitions."""
    async with world.cluster.admin() as admin:
        (response,) = await admin.describe_consumer_groups([group_id(world.cluster.topics)])
        (group,) = response.groups
        _, _, state, _, _, found, *_ = group
        return len(found) if state == "Stable" else 0


@contextlib.asynccontextmanager
async def joined(world: World, config: Config, count: int) -> AsyncIterator[asyncio.Event]:
    """One more worker, from when the group has so many."""
    stop = asyncio.Event()
    task = asyncio.create_task(run(config, world.cluster, stop))

    async def there() -> bool:
        if task.done():
            task.result()
        return await members(world) == count

    try:
        await until_async(there)
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def nothing_parked(world: World) -> bool:
    return not await parked(world.cluster, lambda *_: None)


async def test_a_worker_that_joins_beside_a_slow_receiver_repeats_nothing_and_holds_up_nobody(world: World) -> None:
    slow = Slow()
    async with receiving(slow.answer) as receiver:
        config = two(receiver.url, concurrency=4)
        async with world.working(config):
            await world.publish(*events(0, 12))  # type: ignore[arg-type]
            await until(lambda: len(slow.under_way) == 4)
            first = list(slow.under_way)
            slow.statuses[first[0]] = 503
            async with joined(world, config, 2):
                await world.publish(*events(12, 12))  # type: ignore[arg-type]
                await until(lambda: len({call.id for call in receiver.to("/fast")}) == 24)
                assert not slow.let_go.is_set()
                slow.let_go.set()
                await until(lambda: len({call.id for call in receiver.to("/slow")}) == 24)
                await until_async(lambda: nothing_parked(world))
        times = Counter(call.id for call in receiver.to("/slow"))
        assert {one: count for one, count in times.items() if count > 1} == {first[0]: 2}, "the refused one, once more"
        assert max(Counter(call.id for call in receiver.to("/fast")).values()) == 1
        attempts = [one for one in await world.attempts() if one.webhook_id == first[0]]
        assert [(one.attempt, one.outcome) for one in sorted(attempts, key=lambda one: one.at)] == [
            (1, Outcome.RETRY),
            (2, Outcome.DELIVERED),
        ]


async def test_a_worker_that_stops_leaves_its_partitions_at_once_and_waits_for_its_calls(world: World) -> None:
    slow = Slow()
    async with receiving(slow.answer) as receiver:
        config = two(receiver.url)
        async with world.working(config):
            async with joined(world, config, 2) as stop:
                await world.publish(*events(0, 40))  # type: ignore[arg-type]
                await until(lambda: len(slow.under_way) == 16)
                stop.set()
                # the one that goes is still waiting for its calls
                await until_async(lambda: _is(members(world), 1))
                await world.publish(*events(40, 12))  # type: ignore[arg-type]
                await until(lambda: len({call.id for call in receiver.to("/fast")}) == 52)
                slow.let_go.set()
            await until(lambda: len({call.id for call in receiver.to("/slow")}) == 52)
            await until_async(lambda: nothing_parked(world))
        for path in ("/slow", "/fast"):
            assert max(Counter(call.id for call in receiver.to(path)).values()) == 1


class Waits(Taking):
    """Answers nobody."""

    async def send(self, events: Sequence[Event]) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def test_a_call_is_handed_over_once_also_when_a_stop_meets_a_rebalance(world: World) -> None:
    topics = world.cluster.topics
    changes = topics.changes("tmdb").name
    async with world.cluster.transactional_producer(transactional_id(topics, 0)) as producer:
        shard = Shard(topics, 0, producer, {changes: Position(0, 0)})
        shard.commons[changes].passed(0, ["hook"])
        event = read_event(change_event(1).to_json())
        endpoint = endpoint_to(Waits(), Bounds())
        endpoint.offer(Delivery("hook", event, shard, changes, 0, changes, 0))
        await until(lambda: endpoint.in_flight == 1)
        given = Handover(world.cluster, producer, {"hook": endpoint}, SystemClock(), 5.0)
        given.give(shard)
        given.give(shard)
        step = shard.step()
        assert step is not None
        assert len(step.outs) == 1
        await endpoint.aclose()


async def _is(counted: object, wanted: int) -> bool:
    return await counted == wanted  # type: ignore[misc, no-any-return]


async def test_what_was_in_flight_at_a_stop_is_not_sent_by_the_next_start_and_its_failure_is(world: World) -> None:
    slow = Slow()
    async with receiving(slow.answer) as receiver:
        config = two(receiver.url, concurrency=4)
        async with world.working(config):
            await world.publish(*events(0, 4))  # type: ignore[arg-type]
            await until(lambda: len(slow.under_way) == 4)
            refused, gone = slow.under_way[:2]
            slow.statuses[refused] = 500
            asyncio.get_running_loop().call_later(1.0, slow.let_go.set)
        assert {len(await late_answers(world.cluster, number)) for number in (0, 1)} != {0}
        async with world.working(config):
            await until_async(lambda: nothing_parked(world))
            await until(lambda: len(receiver.to("/slow")) >= 5)
        assert Counter(call.id for call in receiver.to("/slow"))[refused] == 2
        assert Counter(call.id for call in receiver.to("/slow"))[gone] == 1
        assert len(receiver.to("/slow")) == 5


async def test_a_call_that_ended_with_its_worker_is_made_again(world: World) -> None:
    slow = Slow()
    async with receiving(slow.answer) as receiver:
        config = two(receiver.url, concurrency=4)
        stop = asyncio.Event()
        dying = asyncio.create_task(run(config, world.cluster, stop))
        await until_async(lambda: _is(members(world), 1))
        await until_async(lambda: _known(world))
        await world.publish(*events(0, 4))  # type: ignore[arg-type]
        await until(lambda: len(slow.under_way) == 4)
        stop.set()
        # it has handed its calls over, and dies while it waits for them
        await until_async(lambda: _is(members(world), 0))
        await until_async(lambda: _handed_over(world))
        dying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await dying
        slow.let_go.set()
        async with world.working(config):
            await until(lambda: len(receiver.to("/slow")) == 8)
            await until_async(lambda: nothing_parked(world))
        assert set(Counter(call.id for call in receiver.to("/slow")).values()) == {2}
        assert len(receiver.to("/fast")) == 4


async def _known(world: World) -> bool:
    return len(await world.records(world.cluster.topics.endpoints.name)) >= 2


async def _handed_over(world: World) -> bool:
    return not await nothing_parked(world)


async def test_an_answer_that_cannot_be_read_is_skipped(world: World) -> None:
    answer = LateAnswer(
        token="a", subscription="hook", outcome=Outcome.RETRY, attempts=2, next_at=datetime.now(UTC) + timedelta(seconds=5)
    )
    topic = handover_topic(world.cluster.topics).name
    async with world.cluster.producer() as producer:
        for value in (b"{", b"[]", None, answer.to_json(), answer.to_json().replace(b"{", b'{"more": 1, ', 1)):
            await producer.send_and_wait(topic, value, key=b"hook", partition=1)
    assert await late_answers(world.cluster, 1) == {"a": answer}
    assert await late_answers(world.cluster, 0) == {}

"""Endpoint state, kept in its compacted topic for all workers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random

from runtime.clock import ManualClock
from schemas.config import Subscription
from sinks.states import EndpointStates
from tests.eventually import until
from tests.sinks.worlds import World, webhook

HOOK = Subscription.model_validate(webhook("hook", "https://x.example/"))
OTHER = Subscription.model_validate(webhook("other", "https://x.example/"))


def fail_for(states: EndpointStates, clock: ManualClock, hours: float) -> None:
    """An attempt fails now and each six hours."""
    states.failed("hook")
    for _ in range(int(hours // 6)):
        clock.advance(6 * 3600)
        states.failed("hook")


@contextlib.asynccontextmanager
async def states_of(world: World, clock: ManualClock) -> AsyncIterator[EndpointStates]:
    async with world.cluster.producer() as producer:
        states = EndpointStates(
            world.cluster, producer, clock, Random(1), disable_after=timedelta(days=5), grace=timedelta(days=1)
        )
        await states.load([HOOK])
        following = asyncio.create_task(states.run())
        yield states
        await states.flush()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_a_subscription_begins_once_also_for_the_next_worker(world: World) -> None:
    clock = ManualClock()
    async with states_of(world, clock) as states:
        began = states.since("hook")
    clock.advance(3600)
    async with states_of(world, clock) as states:
        assert states.since("hook") == began


async def test_workers_that_meet_a_subscription_at_once_agree_when_it_begins(world: World) -> None:
    clocks = [ManualClock() for _ in range(4)]
    for seconds, clock in enumerate(clocks):
        clock.advance(seconds)
    async with contextlib.AsyncExitStack() as stack:
        producer = await stack.enter_async_context(world.cluster.producer())
        workers = [
            EndpointStates(
                world.cluster, producer, clock, Random(number), disable_after=timedelta(days=5), grace=timedelta(days=1)
            )
            for number, clock in enumerate(clocks)
        ]
        await asyncio.gather(*(worker.load([HOOK, OTHER]) for worker in workers))
    # who serves by another time than the others loses or repeats what was published in between
    for name in ("hook", "other"):
        assert len({worker.since(name) for worker in workers}) == 1
    assert sorted(record.key for record in await world.records(world.cluster.topics.endpoints.name)) == [b"hook", b"other"]


async def test_five_days_of_nothing_but_failures_disable_an_endpoint_for_all_workers(world: World) -> None:
    clock = ManualClock()
    async with states_of(world, clock) as here, states_of(world, clock) as there:
        fail_for(here, clock, hours=12 + 5 * 24 - 6)
        assert not here.disabled("hook")
        await until(lambda: there.state("hook").failing_since is not None)
        fail_for(here, clock, hours=6)
        assert here.disabled("hook")
        await until(lambda: there.disabled("hook"))
        assert "every attempt failed since 2025-01-21T00:00:00+00:00, " in str(there.state("hook").disabled_reason)


async def test_a_clock_ten_days_ahead_and_back_disables_nothing(world: World) -> None:
    clock = ManualClock()
    async with states_of(world, clock) as states:
        fail_for(states, clock, hours=24)
        clock.set_ahead(10 * 86400)
        for _ in range(12):
            states.failed("hook")
        clock.set_ahead(-10 * 86400)
        for _ in range(12):
            states.failed("hook")
        assert not states.disabled("hook")
        began = clock.now()
        assert states.state("hook").failing_since == began
        await states.flush()
    async with states_of(world, clock) as next_life:
        next_life.failed("hook")
        assert not next_life.disabled("hook")


async def test_an_outage_goes_on_over_restarts(world: World) -> None:
    clock = ManualClock()
    for _ in range(11):
        async with states_of(world, clock) as states:
            assert not states.disabled("hook")
            fail_for(states, clock, hours=13)
    async with states_of(world, clock) as states:
        assert states.disabled("hook")


async def test_one_success_begins_the_five_days_anew(world: World) -> None:
    clock = ManualClock()
    async with states_of(world, clock) as states:
        fail_for(states, clock, hours=5 * 24)
        states.succeeded("hook")
        assert states.state("hook").failing_since is None
        fail_for(states, clock, hours=5 * 24)
        assert not states.disabled("hook")


async def test_a_success_at_one_worker_ends_the_outage_for_all(world: World) -> None:
    clock = ManualClock()
    async with states_of(world, clock) as here, states_of(world, clock) as there:
        fail_for(here, clock, hours=12 + 3 * 24)
        await until(lambda: there.state("hook").failing_percent == 50)
        there.succeeded("hook")
        await until(lambda: here.state("hook").failing_since is None)
        fail_for(here, clock, hours=3 * 24)
        assert not here.disabled("hook")


async def test_the_workers_agree_on_the_first_failure_and_write_it_once(world: World) -> None:
    clock = ManualClock()
    async with states_of(world, clock) as here, states_of(world, clock) as there:
        here.failed("hook")
        clock.advance(30)
        there.failed("hook")
        clock.advance(61)
        there.failed("hook")
        await until(lambda: here.state("hook").failing_since is not None)
        here.failed("hook")
        began = here.state("hook").failing_since
        await until(lambda: there.state("hook").failing_since == began)
        there.failed("hook")
        here.failed("hook")
        assert there.state("hook").failing_since == here.state("hook").failing_since == began

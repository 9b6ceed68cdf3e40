"""Something is due at an endpoint and nothing is attempted: operators are told. What waits by the rules is not due."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from runtime.clock import ManualClock, SystemClock
from schemas.delivery import EndpointState
from sinks import endpoint as endpoints
from sinks.answer import Answer, Meaning
from sinks.breaker import Limits
from sinks.budget import Budget, Slots
from sinks.endpoint import STALLED_S, Bounds, Endpoint
from sinks.event import Event
from sinks.limits import Limit, Terms
from tests.eventually import until
from tests.sinks.test_endpoint import Taking, delivery, endpoint_to
from tests.sinks.worlds import SECRET, World, change_event, config_of, receiving, webhook


class NoLease:
    """Another worker's, for good."""

    def usable(self) -> bool:
        return False

    def held(self) -> bool:
        return False

    def crowded(self) -> bool:
        return False

    def ask(self) -> None: ...

    def ended(self) -> None: ...


def stalled_after(endpoint: Endpoint, clock: ManualClock, seconds: float, *, behind: bool = False) -> float | None:
    endpoint.stalled_s(behind=behind)
    clock.advance(seconds)
    return endpoint.stalled_s(behind=behind)


async def test_what_waits_for_nothing_that_anybody_asked_for_is_stuck_after_15_minutes() -> None:
    clock = ManualClock()
    limit = Limit(Terms("key", 1.0, None), SystemClock(), 15.0, NoLease())
    endpoint = endpoint_to(Taking(), Bounds(), limit=limit, clock=clock)
    assert stalled_after(endpoint, clock, 2 * STALLED_S) is None  # nothing is due
    endpoint.offer(delivery(1, held="changes"))
    assert stalled_after(endpoint, clock, STALLED_S - 1) is None
    assert stalled_after(endpoint, clock, 10) is not None
    endpoint.disabled = True
    assert stalled_after(endpoint, clock, 2 * STALLED_S) is None
    endpoint.disabled = False
    assert stalled_after(endpoint, clock, STALLED_S - 1) is None
    await endpoint.aclose()


async def test_a_slow_rate_is_no_reason_until_everybody_would_have_had_a_turn() -> None:
    clock = ManualClock()
    limit = Limit(Terms("key", 0.001, None), SystemClock(), 15.0, NoLease())
    endpoint = endpoint_to(Taking(), Bounds(), limit=limit, clock=clock)
    endpoint.offer(delivery(1, held="changes"))
    assert stalled_after(endpoint, clock, STALLED_S + 1900) is None
    assert stalled_after(endpoint, clock, 200) is not None
    await endpoint.aclose()


async def test_retry_after_an_open_breaker_and_a_call_under_way_are_reasons() -> None:
    clock, gate = ManualClock(), asyncio.Event()

    class Failing(Taking):
        async def send(self, events: Sequence[Event]) -> Answer:
            self.taken += [event.id for event in events]
            await gate.wait()
            return Answer(Meaning.FAILED, 1.0, 503, retry_after=36_000.0)

    for limit in (None, Limit(Terms("key", 1.0, None), SystemClock(), 15.0)):
        gate.clear()
        sender = Failing()
        bounds = Bounds(concurrency=1, breaker=Limits(requests=1 if limit is None else 99))
        endpoint = endpoint_to(sender, bounds, limit=limit, clock=clock)
        for number in range(2):
            endpoint.offer(delivery(number, held="changes"))
        await until(lambda: len(sender.taken) == 1)  # noqa: B023
        assert stalled_after(endpoint, clock, 2 * STALLED_S) is None
        gate.set()
        await until(lambda: not endpoint.in_flight)  # noqa: B023
        assert endpoint.waiting == 1
        # the breaker's 30 s are over before this ends: it is told by the clock of the endpoint
        assert stalled_after(endpoint, clock, 20) is None
        if limit is not None:
            assert stalled_after(endpoint, clock, 2 * STALLED_S) is None
        await endpoint.aclose()


async def test_an_endpoint_without_a_connection_and_one_that_is_not_read_for_are_stuck() -> None:
    clock = ManualClock()
    none_free = Slots(Budget(1, ["other"], 1))
    none_free.take("hook")
    endpoint = endpoint_to(Taking(), Bounds(), connections=none_free, clock=clock)
    endpoint.offer(delivery(1, held="changes"))
    await until(lambda: endpoint.in_flight)
    assert stalled_after(endpoint, clock, STALLED_S) is not None
    await endpoint.aclose()
    idle = endpoint_to(Taking(), Bounds(), clock=clock)
    assert stalled_after(idle, clock, STALLED_S, behind=True) is not None


async def test_operators_are_told_of_a_stuck_endpoint_and_it_is_noted_that_it_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "STALLED_S", -3600.0)  # whatever waits for its rate counts as stuck

    async def states() -> list[EndpointState]:
        records = await world.records(world.cluster.topics.endpoints.name)
        return [EndpointState.read(record.value, record.headers) for record in records if record.key == b"hook"]

    async def is_well_again() -> bool:
        found = await states()
        return any(state.stuck_since for state in found) and found[-1].stuck_since is None

    async with receiving() as receiver:
        ops = {"name": "ops", "alerts": True, "webhook": {"url": f"{receiver.url}/ops", "secret": SECRET}}
        async with world.working(config_of(webhook("hook", f"{receiver.url}/hook", rate=0.5), ops)):
            await world.publish(*(change_event(number) for number in range(3)))
            await until(lambda: receiver.to("/ops"))
            await until(lambda: len(receiver.to("/hook")) == 3)
            await until(is_well_again)
    assert b"changecast.alert.endpoint.stuck" in receiver.to("/ops")[0].body

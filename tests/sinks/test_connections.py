"""Connections have a bound that all endpoints share, and a shortage of file descriptors is no endpoint's fault."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from typing import Any

import pytest

from runtime.clock import SystemClock
from runtime.pulse import Pulse
from schemas.config import Config, Delivery
from sinks import caller
from sinks.answer import Answer
from sinks.breaker import Limits
from sinks.budget import Budget, Slots
from sinks.client import Client
from sinks.delivery import Delivery as Sent
from sinks.endpoint import Bounds, Endpoint
from sinks.event import Event
from sinks.webhook import WebhookSender
from tests.eventually import until
from tests.shortage import no_descriptors
from tests.sinks.test_endpoint import Taking, always, delivery, endpoint_to
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook


async def test_without_a_file_descriptor_deliveries_wait_and_no_attempt_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_SHORTAGE_S", 0.01)
    answers: list[Answer] = []
    tried = 0

    async with receiving() as receiver:
        config: Config = config_of(webhook("hook", f"{receiver.url}/"))
        client = Client(Delivery(), [ipaddress.ip_network("127.0.0.0/8")])

        class Counting(WebhookSender):
            async def send(self, events: Sequence[Event]) -> Answer:
                nonlocal tried
                tried += 1
                return await super().send(events)

        endpoint = _endpoint(Counting(config.subscriptions[0], client, 1 << 20), answers)
        with no_descriptors():
            for number in range(5):
                endpoint.offer(delivery(number, held="changes"))
            await until(lambda: tried >= 20)
            assert answers == []
            assert endpoint.breaker.admits(5, 0.0)
        await until(lambda: len(answers) == 5)
        await endpoint.aclose()
        await client.aclose()
    assert {answer.status for answer in answers} == {200}
    assert len(receiver.calls) == 5


def _endpoint(sender: Any, answers: list[Answer]) -> Endpoint:
    clock = SystemClock()
    ignore: Any = lambda *anything: None  # noqa: E731

    def answered(sent: Sent, answer: Answer) -> None:
        del sent
        answers.append(answer)

    return Endpoint(
        *("hook", sender, Bounds(concurrency=5, breaker=Limits(requests=1)), clock),
        on_answer=answered,
        on_error=ignore,
        on_busy=ignore,
        pulse=Pulse(clock),
        recorded=always(),
    )


async def test_endpoints_that_hang_leave_each_other_endpoint_its_connection() -> None:
    gate = asyncio.Event()

    class Hanging(Taking):
        async def send(self, events: Sequence[Event]) -> Answer:
            self.taken += [event.id for event in events]
            await gate.wait()
            return await super().send(events)

    names = ["slow0", "slow1", "well"]
    connections = Slots(Budget(8, names, 1))
    slow = [Hanging(), Hanging()]
    busy = [
        endpoint_to(sender, Bounds(concurrency=50), name=f"slow{n}", connections=connections) for n, sender in enumerate(slow)
    ]
    for endpoint in busy:
        for number in range(50):
            endpoint.offer(delivery(number, held="changes"))
    await until(lambda: sum(len(sender.taken) for sender in slow) == 7)
    well = Taking()
    healthy = endpoint_to(well, Bounds(), name="well", connections=connections)
    for number in range(20):
        healthy.offer(delivery(number, held="changes"))
    await until(lambda: len(well.taken) == 20)
    assert sum(len(sender.taken) for sender in slow) == 7
    gate.set()
    await until(lambda: all(len(set(sender.taken)) == 50 for sender in slow))
    for endpoint in (*busy, healthy):
        await endpoint.aclose()


async def test_no_more_calls_are_in_flight_than_the_config_allows(world: World) -> None:
    in_flight = most = 0

    async def slowly(call: Call) -> int:
        nonlocal in_flight, most
        del call
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0.01)
        in_flight -= 1
        return 200

    async with receiving(slowly) as receiver:
        config = config_of(*(webhook(name, f"{receiver.url}/{name}") for name in ("a", "b")), max_connections=3)
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(40)))
            await until(lambda: len(receiver.calls) == 80)
    assert most == 3

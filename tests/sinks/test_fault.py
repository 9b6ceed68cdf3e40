"""What a sender raises unexpectedly is a failed attempt of its own deliveries, and nobody else's trouble."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from random import Random
from typing import Any, Literal

import pytest
from aiohttp import web

from runtime.clock import ManualClock, SystemClock
from runtime.pulse import Pulse
from schemas.delivery import ErrorClass, Outcome
from sinks.answer import Answer, Meaning
from sinks.breaker import Limits, State
from sinks.delivery import Delivery
from sinks.endpoint import Bounds, Endpoint
from sinks.event import Event, read_event
from sinks.handover import Handover
from sinks.journal import Journal
from sinks.retry import RetryPolicy
from sinks.settle import Settler
from sinks.shard import Shard
from sinks.tracker import Position
from sinks.webhook import WebhookSender
from tests.sinks.test_states import states_of
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, until, until_async, webhook


class Stumbling:
    """Takes ten events in a call, and raises for each call that holds `poison`."""

    kind: Literal["slack"] = "slack"

    def __init__(self, poison: str, calls: int = 100) -> None:
        self.poison = poison
        self.calls: list[list[str]] = []
        self.may_end = asyncio.Semaphore(calls)

    def batch(self, waiting: int) -> int:
        return min(waiting, 10)

    async def send(self, events: Sequence[Event]) -> Answer:
        self.calls.append([event.id for event in events])
        await self.may_end.acquire()
        if any(event.id == self.poison for event in events):
            raise RecursionError("a bug")
        return Answer(Meaning.DELIVERED, 1.0, 200)


class Watched:
    """An endpoint, and what it answered."""

    def __init__(self, sender: Stumbling, bounds: Bounds) -> None:
        self.answers: list[tuple[str, Answer]] = []
        self.errors: list[BaseException] = []
        clock, recorded = SystemClock(), asyncio.Event()
        recorded.set()
        self.endpoint = Endpoint(
            *("newsroom", sender, bounds, clock),
            on_answer=lambda delivery, answer: self.answers.append((delivery.event.id, answer)),
            on_error=self.errors.append,
            on_busy=lambda name, busy: None,
            pulse=Pulse(clock),
            recorded=recorded,
        )

    def offer(self, number: int, entity: str, *, is_first: bool = True) -> str:
        shard: Any = None  # the endpoint only hands it on
        event = read_event(change_event(number, entity_id=entity).to_json())
        delivery = Delivery("newsroom", event, shard, "changes", number, "changes" if is_first else "retry", number)
        if is_first:
            self.endpoint.offer(delivery)
        else:
            assert self.endpoint.offer_retry(delivery)
        return event.id


async def test_of_a_call_that_fails_by_a_fault_each_event_is_sent_on_its_own(caplog: pytest.LogCaptureFixture) -> None:
    sender = Stumbling("event-2-5")
    watched = Watched(sender, Bounds(concurrency=3, breaker=Limits(requests=1, failed=0.1)))
    ids = [watched.offer(number, str(number % 3)) for number in range(12)]
    await until(lambda: len(watched.answers) == len(ids))
    answers = dict(watched.answers)
    assert watched.errors == []
    assert {name for name, answer in watched.answers if answer.meaning is Meaning.DELIVERED} == set(ids) - {sender.poison}
    assert (answers[sender.poison].meaning, answers[sender.poison].error_class) == (Meaning.FAILED, ErrorClass.FAULT)
    assert "RecursionError" in str(answers[sender.poison].error)
    assert watched.endpoint.breaker.state(0.0) is State.CLOSED
    for entity in "012":
        of_entity = [name for name, _ in watched.answers if name.startswith(f"event-{entity}-")]
        assert of_entity == sorted(of_entity, key=lambda name: int(name.rsplit("-", 1)[1]))
    tracebacks = [record for record in caplog.records if record.levelno == logging.ERROR and record.exc_info]
    assert len(tracebacks) == sum(sender.poison in call for call in sender.calls) == 2
    await watched.endpoint.aclose()


async def test_retries_and_first_attempts_of_one_entity_do_not_hold_each_other_up_after_a_fault() -> None:
    sender = Stumbling("event-1-1")
    watched = Watched(sender, Bounds(concurrency=4))
    ids = [watched.offer(number, "1", is_first=number % 2 == 0) for number in range(8)]
    await until(lambda: len(watched.answers) == len(ids))
    ids.append(watched.offer(8, "1"))
    await until(lambda: len(watched.answers) == len(ids))
    assert watched.endpoint.waiting == 0
    await watched.endpoint.aclose()


async def test_what_waits_to_be_sent_on_its_own_is_dropped_with_its_shard() -> None:
    sender = Stumbling("event-0-0", calls=0)
    watched = Watched(sender, Bounds(concurrency=1))
    ids = [watched.offer(number, str(number)) for number in range(4)]
    await until(lambda: sender.calls == [ids])
    sender.may_end.release()
    await until(lambda: sender.calls == [ids, ids[:1]])
    watched.endpoint.hold()
    dropped = [delivery.event.id for delivery in watched.endpoint.drop(lambda _: True)]
    assert dropped == ids[1:]
    assert watched.endpoint.waiting == 0
    sender.may_end.release()
    await until(lambda: [name for name, _ in watched.answers] == ids[:1])
    await watched.endpoint.aclose()


async def test_a_faults_deliveries_die_after_the_last_attempt_and_neither_endpoint_is_disabled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = WebhookSender.send

    async def stumbling(self: WebhookSender, events: Sequence[Event]) -> Answer:
        if self._subscription == "broken" and "62001" in events[0].id:
            raise ZeroDivisionError
        return await sent(self, events)

    monkeypatch.setattr(WebhookSender, "send", stumbling)

    async def fine(call: Call) -> int:
        return 200

    async with receiving(fine) as receiver:
        config = config_of(
            webhook("broken", f"{receiver.url}/broken"),
            webhook("healthy", f"{receiver.url}/healthy"),
            retry_schedule=["10ms", "10ms"],
            disable_after="10ms",
        )
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(62000 + number)) for number in range(4)))

            async def is_dead() -> bool:
                return any(attempt.outcome is Outcome.DEAD for attempt in await world.attempts())

            await until_async(is_dead)
            await until(lambda: (len(receiver.to("/broken")), len(receiver.to("/healthy"))) == (3, 4))
        faults = [attempt for attempt in await world.attempts() if attempt.error_class is ErrorClass.FAULT]
        assert [(attempt.attempt, attempt.outcome) for attempt in faults] == [
            (1, Outcome.RETRY),
            (2, Outcome.RETRY),
            (3, Outcome.DEAD),
        ]
        assert all(attempt.outcome is not Outcome.DISABLED for attempt in await world.attempts())
        assert len(receiver.calls) == 7


async def test_an_absurd_retry_after_costs_nobody_else_an_attempt(world: World) -> None:
    absurd = iter(["Fri, 31 Dec 99999999999999999999 23:59:59 GMT", "Mon, 01 Jan 2147483648 00:00:00 GMT", "\udcff\udc80", "-1"])

    async def answer(call: Call) -> web.StreamResponse | int:
        if call.path != "/absurd" or (header := next(absurd, None)) is None:
            return 200
        return web.Response(status=429, headers={"Retry-After": header})

    async with receiving(answer) as receiver:
        config = config_of(
            webhook("absurd", f"{receiver.url}/absurd"),
            webhook("paced", f"{receiver.url}/absurd", rate=100),
            webhook("healthy", f"{receiver.url}/healthy"),
            retry_schedule=["100ms", "100ms", "100ms", "100ms", "100ms"],
        )
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(10)))
            await until(lambda: len(receiver.to("/healthy")) == 10 and len(receiver.to("/absurd")) == 24)
    assert len({call.id for call in receiver.to("/healthy")}) == len(receiver.to("/healthy")) == 10


async def test_faults_begin_no_outage_and_end_none(world: World) -> None:
    clock = ManualClock()
    topics = world.cluster.topics
    async with world.cluster.producer() as producer, states_of(world, clock) as states:
        shard = Shard(topics, 0, producer, {topics.changes("tmdb").name: Position(0, 0)})
        shard.closed = True  # what an answer does to the partition is not the matter here
        handover = Handover(world.cluster, producer, {}, clock, 15.0)
        settler = Settler(
            *(RetryPolicy((1.0,) * 50), Journal(producer, topics.deliveries, clock), states, handover, clock, Random(1)),
            kinds={"hook": "webhook"},
        )
        event = read_event(change_event().to_json())
        fault = Answer(Meaning.FAILED, 1.0, error_class=ErrorClass.FAULT)

        def settle_for_days(answer: Answer) -> None:
            for _ in range(20):
                clock.advance(12 * 3600)
                settler.settle(Delivery("hook", event, shard, "changes", 0, "changes", 0), answer)

        settle_for_days(fault)
        assert (states.state("hook").failing_since, states.disabled("hook")) == (None, False)
        settler.settle(
            Delivery("hook", event, shard, "changes", 0, "changes", 0),
            Answer(Meaning.FAILED, 1.0, 503, error_class=ErrorClass.STATUS),
        )
        settle_for_days(fault)
        assert not states.disabled("hook")
        settle_for_days(Answer(Meaning.FAILED, 1.0, 503, error_class=ErrorClass.STATUS))
        assert states.disabled("hook")

"""An endpoint's queue: what is offered is sent, whenever it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest

from runtime.clock import Clock, ManualClock, SystemClock
from runtime.pulse import Pulse
from schemas.delivery import ErrorClass
from schemas.lease import Pacing
from sinks.answer import Answer, Meaning
from sinks.budget import Budget, Slots
from sinks.delivery import Delivery
from sinks.endpoint import Bounds, Endpoint
from sinks.event import Event, read_event
from sinks.lease_member import Predecessor
from sinks.limits import Limit
from sinks.terms import Terms
from tests.eventually import until
from tests.sinks.worlds import change_event


class Taking:
    """Takes everything at once."""

    kind: Literal["webhook"] = "webhook"

    def __init__(self) -> None:
        self.taken: list[str] = []

    def batch(self, waiting: int) -> int:
        return 1

    async def send(self, events: Sequence[Event]) -> Answer:
        self.taken += [event.id for event in events]
        return Answer(Meaning.DELIVERED, 1.0, 200)


def delivery(number: int, held: str = "retry") -> Delivery:
    shard: Any = None  # the endpoint only hands it on
    event = read_event(change_event(number, entity_id=str(number)).to_json())
    return Delivery("hook", event, shard, "changes", number, held, number)


def endpoint_to(
    sender: Taking,
    bounds: Bounds,
    recorded: asyncio.Event | None = None,
    limit: Limit | None = None,
    memory: Budget | None = None,
    name: str = "hook",
    pulse: Pulse | None = None,
    connections: Slots | None = None,
    on_answer: Callable[[Delivery, Answer], None] | None = None,
    clock: Clock | None = None,
) -> Endpoint:
    def failed(error: BaseException) -> None:
        raise error

    def ignore(*anything: object) -> None:
        del anything

    clock = clock or SystemClock()
    return Endpoint(
        *(name, sender, bounds, clock),
        on_answer=on_answer or ignore,
        on_error=failed,
        on_busy=ignore,
        pulse=pulse or Pulse(SystemClock()),
        recorded=recorded or always(),
        memory=memory,
        connections=connections,
        limit=limit,
    )


def always() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def test_what_is_offered_in_the_moment_in_which_the_last_task_ends_is_sent_too() -> None:
    sender, clock, loop = Taking(), SystemClock(), asyncio.get_running_loop()

    def answered(done: Delivery, answer: Answer) -> None:
        del answer
        if done.offset < 3:
            # runs when the task has ended, and before the loop has told the endpoint so
            loop.call_soon(endpoint.offer_retry, delivery(done.offset + 1))

    def failed(error: BaseException) -> None:
        raise error

    endpoint = Endpoint(
        "hook",
        sender,
        Bounds(concurrency=1),
        clock,
        on_answer=answered,
        on_error=failed,
        on_busy=lambda name, busy: None,
        pulse=Pulse(clock),
        recorded=always(),
    )
    endpoint.offer_retry(delivery(1))
    await until(lambda: len(sender.taken) == 3)
    await endpoint.aclose()


async def test_first_attempts_go_before_retries_of_which_one_in_sixteen_goes_all_the_same() -> None:
    sender = Taking()
    endpoint = endpoint_to(sender, Bounds(concurrency=1))
    for number in range(100, 150):
        assert endpoint.offer_retry(delivery(number))
    for number in range(64):
        endpoint.offer(delivery(number, held="changes"))
    await until(lambda: len(sender.taken) == 114)
    await endpoint.aclose()
    while_first_attempts_waited = sender.taken[: max(index for index, name in enumerate(sender.taken) if _number(name) < 64)]
    retries = [name for name in while_first_attempts_waited if _number(name) >= 100]
    assert len(retries) == len(while_first_attempts_waited) // 16
    assert [_number(name) for name in sender.taken if _number(name) < 64] == list(range(64))


def _number(name: str) -> int:
    return int(name.rsplit("-", 1)[1])


async def test_an_endpoint_takes_no_more_than_its_queue_holds_in_number_and_in_bytes() -> None:
    endpoint = endpoint_to(Taking(), Bounds(queue=80, concurrency=1))
    endpoint.hold()  # nothing leaves it
    assert endpoint.room() == 0
    endpoint = endpoint_to(Taking(), Bounds(queue=80, concurrency=1))
    for number in range(60):
        endpoint.offer(delivery(number, held="changes"))
    assert endpoint.room() == 20
    taken = [endpoint.offer_retry(delivery(number)) for number in range(20)]
    assert taken == [True] * 10 + [False] * 10
    large = delivery(1000, held="changes")
    large.event.value += bytes(9 * 1024 * 1024)
    endpoint.offer(large)
    assert endpoint.room() == 0
    await endpoint.aclose()


async def test_nothing_is_sent_while_nothing_is_recorded_and_all_of_it_afterwards() -> None:
    sender, recorded = Taking(), always()
    endpoint = endpoint_to(sender, Bounds(concurrency=4), recorded)
    endpoint.offer(delivery(0, held="changes"))
    await until(lambda: len(sender.taken) == 1)
    recorded.clear()
    for number in range(1, 20):
        endpoint.offer(delivery(number, held="changes"))
        endpoint.offer_retry(delivery(100 + number))
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(sender.taken) == 1
    recorded.set()
    await until(lambda: len(sender.taken) == 39)
    await endpoint.aclose()


async def test_a_paced_endpoint_counts_from_the_answer_since_the_call_may_have_arrived_only_then() -> None:
    clock = SystemClock()
    begun, answered = [], []

    class Slow(Taking):
        async def send(self, events: Sequence[Event]) -> Answer:
            begun.append(clock.monotonic())
            await asyncio.sleep(0.3)
            answered.append(clock.monotonic())
            return await super().send(events)

    sender = Slow()
    endpoint = endpoint_to(sender, Bounds(concurrency=4), limit=Limit(Terms("key", 1, None), clock, 15))
    for number in range(2):
        endpoint.offer(delivery(number, held="changes"))
    await until(lambda: len(sender.taken) == 2)
    await endpoint.aclose()
    assert begun[1] >= answered[0] + 1.0


@pytest.mark.parametrize(("asked", "waited"), [(30.0, 30.0), (999_999_999.0, 36_000.0)])
async def test_a_retry_after_stops_all_deliveries_of_a_paced_endpoint_for_ten_hours_at_most(asked: float, waited: float) -> None:
    clock = ManualClock()
    times: list[float] = []

    class Limited(Taking):
        async def send(self, events: Sequence[Event]) -> Answer:
            times.append(clock.monotonic())
            await super().send(events)
            return Answer(Meaning.FAILED, 1.0, 429, retry_after=asked if len(times) == 1 else None)

    sender = Limited()
    endpoint = endpoint_to(sender, Bounds(concurrency=1), limit=Limit(Terms("key", 1000, None), clock, 15))
    for number in range(2):
        endpoint.offer(delivery(number, held="changes"))
    await until(lambda: len(times) == 2)
    await endpoint.aclose()
    assert times[1] - times[0] == pytest.approx(waited)


async def test_the_open_breaker_of_another_worker_holds_here_too_and_ends_with_a_probe() -> None:
    clock, sender = SystemClock(), Taking()
    limit = Limit(Terms("key", None, 4), clock, 15)
    endpoint = endpoint_to(sender, Bounds(concurrency=4), limit=limit)
    now = clock.monotonic()
    limit.take_over(Predecessor("another", Pacing(broken=300), now, now, now + 0.3))
    endpoint.offer(delivery(1, held="changes"))
    assert not limit.due()
    assert 0 < limit.pacing().broken <= 300
    await until(lambda: len(sender.taken) == 1)
    assert clock.monotonic() >= now + 0.3
    await endpoint.aclose()


async def test_of_one_entity_no_second_first_attempt_begins_before_the_first_has_ended() -> None:
    gate = asyncio.Event()

    class Gated(Taking):
        async def send(self, events: Sequence[Event]) -> Answer:
            answer = await super().send(events)
            await gate.wait()
            return answer

    sender = Gated()
    endpoint = endpoint_to(sender, Bounds(concurrency=4))
    for number, entity in enumerate(("one", "one", "other", "one")):
        sent = delivery(number, held="changes")
        sent.event = read_event(change_event(number, entity_id=entity).to_json())
        endpoint.offer(sent)
    await until(lambda: len(sender.taken) >= 2)
    for _ in range(20):
        await asyncio.sleep(0)
    assert sender.taken == ["event-one-0", "event-other-2"]
    gate.set()
    await until(lambda: len(sender.taken) == 4)
    assert sender.taken[2:] == ["event-one-1", "event-one-3"]
    await endpoint.aclose()


async def test_what_waits_far_behind_is_kept_as_bytes_and_reads_the_same() -> None:
    event = delivery(1).event
    document, facts, name = event.document, event.facts, event.name
    event.slim()
    assert (event.document, event.facts, event.name) == (document, facts, name)
    assert event.document is not document


async def test_an_attempt_of_several_requests_ends_within_its_bound_and_has_failed() -> None:
    answers: list[Answer] = []

    class Endless(Taking):
        async def send(self, events: Sequence[Event]) -> Answer:
            await super().send(events)
            await asyncio.Event().wait()
            raise AssertionError

    endpoint = endpoint_to(Endless(), Bounds(longest_attempt=0.05), on_answer=lambda _, answer: answers.append(answer))
    endpoint.offer(delivery(1))
    await until(lambda: answers)
    assert (answers[0].meaning, answers[0].error_class) == (Meaning.FAILED, ErrorClass.TIMEOUT)
    await endpoint.aclose()


async def test_a_time_out_of_the_senders_own_is_a_fault() -> None:
    answers: list[Answer] = []

    class Raising(Taking):
        async def send(self, events: Sequence[Event]) -> Answer:
            raise TimeoutError

    endpoint = endpoint_to(Raising(), Bounds(longest_attempt=60), on_answer=lambda _, answer: answers.append(answer))
    endpoint.offer(delivery(1))
    await until(lambda: answers)
    assert answers[0].error_class is ErrorClass.FAULT
    await endpoint.aclose()


async def test_what_goes_to_another_worker_while_it_waits_for_a_connection_holds_up_nothing_of_its_entity() -> None:
    sender, slots = Taking(), Slots(Budget(1, ["hook"], 1))
    endpoint = endpoint_to(sender, Bounds(concurrency=2), connections=slots)
    assert slots.take("hook")
    first, second = delivery(1, held="changes"), delivery(1, held="changes")
    endpoint.offer(first)
    await until(lambda: endpoint.in_flight)
    endpoint.offer(second)
    first.handed_over = "token"
    slots.give("hook")
    await until(lambda: sender.taken)
    await until(lambda: not endpoint.in_flight and not endpoint.waiting)
    assert sender.taken == ["event-1-1"]
    await endpoint.aclose()

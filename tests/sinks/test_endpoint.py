"""An endpoint's queue: what is offered is sent, whenever it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from runtime.clock import SystemClock
from sinks.answer import Answer, Meaning
from sinks.delivery import Delivery
from sinks.endpoint import Bounds, Endpoint
from sinks.event import Event, read_event
from sinks.pulse import Pulse
from tests.sinks.worlds import change_event, until


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


def delivery(number: int) -> Delivery:
    shard: Any = None  # the endpoint only hands it on
    return Delivery("hook", read_event(change_event(number).to_json()), shard, "changes", number, "retry", number)


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
    )
    endpoint.offer_retry(delivery(1))
    await until(lambda: len(sender.taken) == 3, 2)
    await endpoint.aclose()

"""What endpoints share: the total is kept, and nobody takes another's reserve."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Image
from sinks.budget import Budget, Slots
from sinks.delivery import Delivery
from sinks.endpoint import Bounds, Endpoint
from sinks.event import read_event
from sinks.returns import window_bytes
from sinks.topics import DELAYS
from tests.sinks.test_endpoint import Taking, endpoint_to
from tests.sinks.worlds import change_event

NAMES = ["a", "b", "c"]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 40), st.booleans()), max_size=60))
def test_whoever_asks_first_keeps_the_total_and_leaves_each_its_reserve(steps: list[tuple[str, int, bool]]) -> None:
    budget = Budget(100, NAMES, 20)
    assert budget.reserve == 16
    held = dict.fromkeys(NAMES, 0)
    for name, amount, takes in steps:
        if takes and amount <= budget.free(name):
            budget.take(name, amount)
            held[name] += amount
        elif not takes:
            budget.give(name, given := min(amount, held[name]))
            held[name] -= given
        assert budget.held == sum(held.values()) <= 100
        assert all(budget.free(one) >= budget.reserve - held[one] for one in NAMES)


def test_a_total_too_small_for_all_still_lets_each_have_one() -> None:
    budget = Budget(1, NAMES, 20)
    for name in NAMES:
        assert budget.free(name) == 1
        budget.take(name, 5)
        assert budget.free(name) == 0


def delivery(name: str, number: int, pictures: int = 0) -> Delivery:
    images = [
        Image(kind="still", url=f"https://image.example/{n}.jpg", width=1920, height=1080, path="/a.jpg") for n in range(pictures)
    ]
    event = read_event(change_event(number, entity_id=f"{name}-{number}", images=images).to_json())
    shard: object = None
    return Delivery(name, event, shard, "changes", number, "changes", number)  # type: ignore[arg-type]


def endpoints_of(budget: Budget, count: int) -> list[Endpoint]:
    """Whose calls never end."""

    class Hanging(Taking):
        async def send(self, events: object) -> None:  # type: ignore[override]
            del events
            await asyncio.Event().wait()

    return [endpoint_to(Hanging(), Bounds(queue=10_000), memory=budget, name=f"e{number}") for number in range(count)]


@pytest.mark.parametrize("pictures", [0, 10])
async def test_queues_take_no_more_memory_than_their_total_and_each_endpoint_has_its_reserve(pictures: int) -> None:
    total = 4 * 1024 * 1024
    names = [f"e{number}" for number in range(16)]
    budget = Budget(total, names, 64 * 1024)
    *greedy, last = endpoints_of(budget, len(names))
    gc.collect()
    tracemalloc.start()
    try:
        for endpoint in greedy:
            number = 0
            while endpoint.room():
                endpoint.offer(delivery(endpoint.name, number, pictures))
                number += 1
        gc.collect()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert total * 0.4 < used < total
    assert not greedy[0].offer_retry(delivery("e0", 100_000))
    assert last.offer_retry(delivery(last.name, 1))
    assert last.half_empty
    while budget.free(last.name) * 2 >= budget.reserve:
        last.offer(delivery(last.name, budget.held))
    assert last.room()
    assert not last.half_empty
    for endpoint in (*greedy, last):
        endpoint.drop(lambda _: True)
        await endpoint.aclose()
    assert budget.held == 0


async def test_what_was_attempted_makes_room() -> None:
    budget = Budget(1024 * 1024, ["hook"], 1)
    endpoint = endpoint_to(Taking(), Bounds(), memory=budget)
    endpoint.offer(delivery("hook", 1))
    assert budget.held > 1000
    await endpoint.quiet()
    while budget.held:
        await asyncio.sleep(0)
    await endpoint.aclose()


@given(st.integers(1 << 20, 1 << 34), st.integers(1, 1000))
def test_retries_that_wait_to_be_due_take_an_eighth_of_the_total_or_the_least_that_a_read_needs(total: int, count: int) -> None:
    window = window_bytes(total, count)
    assert 16 * 1024 <= window <= 512 * 1024
    assert window == 16 * 1024 or window * count * len(DELAYS) <= total // 8


async def test_a_slot_that_nobody_gives_back_is_waited_for_no_longer_than_asked() -> None:
    slots = Slots(Budget(1, ["a"], 1))
    assert slots.take("a")
    async with asyncio.timeout(20):
        await slots.wait(0.01)
    assert not slots.take("a")

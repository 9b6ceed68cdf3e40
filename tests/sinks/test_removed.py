"""A subscription that a config no longer has: its retries and its place are kept, for a while, in case it comes back."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from changecast.deliveries.parked import parked
from runtime.offsets import committed_offsets
from runtime.topics import read_to_end
from schemas import dead
from schemas.delivery import EndpointState
from sinks.assignor import Assignor, named_in
from sinks.parcel import Parcel
from sinks.returns import leaves_at
from sinks.standing import Standing, standing
from sinks.topics import DELAYS, group_id, lagging_topic
from tests.sinks.test_handover import joined, nothing_parked
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, until, until_async, webhook

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def numbers(calls: list[Call]) -> list[int]:
    return [int(json.loads(call.body)["id"].rsplit("-", 1)[1]) for call in calls]


async def state_of(world: World, name: str) -> EndpointState | None:
    found = None
    async for record in read_to_end(world.cluster, world.cluster.topics.endpoints.name):
        if record.key == name.encode():
            found = None if record.value is None else EndpointState.read(record.value, record.headers)
    return found


async def is_removed(world: World, name: str) -> bool:
    state = await state_of(world, name)
    return state is not None and state.removed_at is not None


async def places(world: World) -> set[str]:
    """The subscriptions with cursors of their own."""
    last = {}
    async for record in read_to_end(world.cluster, lagging_topic(world.cluster.topics).name):
        last[record.partition, record.key] = record.value
    return {json.loads(value)["subscription"] for value in last.values() if value is not None}


async def test_one_that_is_away_for_a_while_has_its_retries_and_all_that_came_meanwhile_once(world: World) -> None:
    failing = True

    async def moody(call: Call) -> int:
        return 500 if failing and call.path == "/back" else 200

    async with receiving(moody) as receiver:
        other = webhook("other", f"{receiver.url}/other")
        both = config_of(webhook("back", f"{receiver.url}/back"), other, retry_schedule=["3s", "1s"], breaker={"requests": 1000})
        async with world.working(both):
            await world.publish(*(change_event(number, entity_id="one") for number in range(6)))
            await until(lambda: len(receiver.to("/back")) == 6)
        async with world.working(config_of(other)):
            await until_async(lambda: is_removed(world, "back"))
            await world.publish(*(change_event(number, entity_id="one") for number in range(6, 12)))
            await until(lambda: len(receiver.to("/other")) == 12)
            await until_async(lambda: _has_place(world, "back"))
        failing = False
        async with world.working(both):
            await until_async(lambda: _is_back(world, "back"))
            await world.publish(*(change_event(number, entity_id="one") for number in range(12, 14)))
            await until(lambda: len(receiver.to("/back")) >= 20)
            await until_async(lambda: nothing_parked(world))
            await until_async(lambda: _no_place(world))
        times = Counter(call.id for call in receiver.to("/back"))
        assert sorted(times.values()) == [1] * 8 + [2] * 6
        firsts = [number for number in numbers(receiver.to("/back"))[6:] if number >= 6]
        assert firsts == list(range(6, 14)), "in the order in which they were published"
        assert numbers(receiver.to("/other")) == list(range(14))


async def _is_back(world: World, name: str) -> bool:
    return not await is_removed(world, name)


async def _has_place(world: World, name: str) -> bool:
    return name in await places(world)


async def _no_place(world: World) -> bool:
    return not await places(world)


async def test_after_the_grace_period_its_retries_are_dead_and_alert_nobody(world: World) -> None:
    async def failing(call: Call) -> int:
        return 500 if call.path == "/gone" else 200

    async with receiving(failing) as receiver:
        ops = {**webhook("ops", f"{receiver.url}/ops"), "alerts": True}
        del ops["match"], ops["when"]
        config = config_of(webhook("gone", f"{receiver.url}/gone"), ops, retry_schedule=["1s", "1h"])
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(4)))
            await until(lambda: len(receiver.to("/gone")) == 8)
        without = config_of(ops, removed_subscription_grace="2s")
        async with world.working(without):
            await until_async(lambda: _dead(world, 4))
            await until_async(lambda: _no_place(world))
            await until_async(lambda: nothing_parked(world))
            await world.publish(change_event(9))
            await until_async(lambda: _all_read(world))
        records = await world.records(world.cluster.topics.dead.name)
        assert {dict(record.headers)[dead.REASON] for record in records} == {b"subscription-removed"}
        assert {dict(record.headers)[dead.ATTEMPTS] for record in records} == {b"2"}
        # one that comes back later is a new one
        async with world.working(config):
            await world.publish(change_event(10))
            await until(lambda: 10 in numbers(receiver.to("/gone")))
            assert 9 not in numbers(receiver.to("/gone"))
        assert receiver.to("/ops") == []


async def _all_read(world: World) -> bool:
    """Whether each change has been read and committed."""
    topic = world.cluster.topics.changes("tmdb").name
    last = {TopicPartition(topic, record.partition): record.offset for record in await world.records(topic)}
    committed = await committed_offsets(world.cluster, group_id(world.cluster.topics), list(last))
    return all((at := committed[partition]) is not None and at.offset > offset for partition, offset in last.items())


async def _dead(world: World, count: int) -> bool:
    return len(await world.records(world.cluster.topics.dead.name)) == count


async def test_one_that_some_worker_has_is_not_removed_and_misses_nothing_in_the_partitions_of_the_others(world: World) -> None:
    async with receiving() as receiver:
        old = webhook("old", f"{receiver.url}/old")
        new_config = config_of(old, webhook("new", f"{receiver.url}/new"))
        # a roll-out: the first worker still has the config from before
        async with world.working(config_of(old)):
            async with joined(world, new_config, 2):
                await until_async(lambda: _known(world, "new"))
                await until_async(lambda: _has_place(world, "new"))
                await world.publish(*(change_event(number, entity_id=str(number)) for number in range(20)))
                await until(lambda: len(receiver.to("/old")) == 20)
                await until(lambda: len(receiver.to("/new")) > 0)
                assert len(receiver.to("/new")) < 20
                assert not await is_removed(world, "new")
            await until_async(lambda: is_removed(world, "new"))
        async with world.working(new_config):
            await until(lambda: len({call.id for call in receiver.to("/new")}) == 20)
            await until_async(lambda: _no_place(world))
        assert set(Counter(call.id for call in receiver.calls).values()) == {1}


async def _known(world: World, name: str) -> bool:
    return await state_of(world, name) is not None


async def test_one_that_is_forgotten_leaves_nothing_behind_and_one_in_the_config_is_not(world: World) -> None:
    async def failing(call: Call) -> int:
        return 500 if call.path == "/gone" else 200

    async with receiving(failing) as receiver:
        other = webhook("other", f"{receiver.url}/other")
        async with world.working(config_of(webhook("gone", f"{receiver.url}/gone"), other, retry_schedule=["1h"])):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(4)))
            await until(lambda: len(receiver.to("/gone")) == 4)
        async with world.working(config_of(other)):
            await until_async(lambda: _has_place(world, "gone"))
            async with world.cluster.producer() as producer:
                for name in (b"gone", b"other"):
                    await producer.send_and_wait(world.cluster.topics.endpoints.name, None, key=name)
            await until_async(lambda: _no_place(world))
            await until_async(lambda: nothing_parked(world))
            await until_async(lambda: _known(world, "other"))
            await world.publish(change_event(9))
            await until(lambda: 9 in numbers(receiver.to("/other")))
        assert await world.records(world.cluster.topics.dead.name) == []
        assert await state_of(world, "gone") is None


def retry(due: float) -> Parcel:
    return Parcel("gone", b"{}", 1, due, "changes", 0, 0)


def hops(seconds: float, overdue: float = 0.0) -> int:
    now, count = overdue, 0
    while now < seconds:
        _, parcel = retry(0.0).kept(now, seconds)
        assert now < parcel.ready <= seconds
        now, count = parcel.ready, count + 1
    return count


def test_waiting_for_a_day_takes_no_more_hops_than_the_longest_delay() -> None:
    assert hops(DAY.total_seconds()) <= 25


@given(overdue=st.floats(0, 10 * 86_400), until=st.floats(0, 20 * 86_400))
def test_a_kept_retry_waits_twice_as_long_as_it_is_overdue_at_the_most(overdue: float, until: float) -> None:
    delay, parcel = retry(0.0).kept(overdue, until)
    assert parcel.due == 0.0
    assert overdue <= parcel.ready <= overdue + max(2 * overdue, DELAYS[0][1])
    assert parcel.ready <= max(until, overdue)
    assert delay in dict(DELAYS)


def test_a_kept_retry_of_one_that_is_back_is_sent_when_it_is_due_and_of_one_that_is_removed_ends_at_once() -> None:
    _, kept = retry(1000.0).kept(5000.0, 90_000.0)
    assert kept.ready > 5000
    assert leaves_at(kept, Standing.KEPT) == kept.ready
    assert leaves_at(kept, Standing.SERVED) == 1000
    assert leaves_at(kept, Standing.REMOVED) == leaves_at(kept, Standing.FORGOTTEN) == 0
    _, waiting = retry(9000.0).placed(5000.0)
    assert leaves_at(waiting, Standing.SERVED) == waiting.ready < 9000


@pytest.mark.parametrize(
    ("removed", "expected"),
    [
        (None, Standing.KEPT),
        (NOW, Standing.KEPT),
        (NOW - DAY + timedelta(seconds=1), Standing.KEPT),
        (NOW - DAY, Standing.REMOVED),
        (NOW + DAY, Standing.KEPT),
    ],
)
def test_what_no_worker_has_is_kept_for_the_grace_period(removed: datetime | None, expected: Standing) -> None:
    state = EndpointState(subscription="gone", since=NOW - 9 * DAY, removed_at=removed)
    assert standing(state, NOW, DAY) is expected
    assert standing(None, NOW, DAY) is Standing.FORGOTTEN


def test_a_worker_of_an_earlier_version_reads_the_state_of_one_that_was_removed() -> None:
    state = EndpointState(subscription="gone", since=NOW, removed_at=NOW + DAY)
    assert "removed" not in state.to_json().decode()
    assert EndpointState.read(state.to_json(), state.headers()) == state
    assert EndpointState.read(state.to_json(), []) == state.model_copy(update={"removed_at": None})


def test_only_what_all_members_name_is_unknown_to_all() -> None:
    found: list[set[str]] = []

    def member(*names: str) -> Assignor:
        return Assignor(lambda: names, found.append)

    class NoTopics:
        def partitions_for_topic(self, topic: str) -> set[int]:
            return {0, 1}

    metadata = {name: member(*names).metadata(["t"]) for name, names in {"a": ("x", "y"), "b": ("y", "z")}.items()}
    leader = member()
    assigned = leader.assign(NoTopics(), metadata)
    assert {one: [(topic, list(at)) for topic, at in part.assignment] for one, part in assigned.items()} == {
        "a": [("t", [0])],
        "b": [("t", [1])],
    }
    old = type(metadata["a"])(0, ["t"], b"")
    leader.assign(NoTopics(), {**metadata, "old": old})
    assert found == [{"y"}, set()]


@pytest.mark.parametrize("metadata", [None, b"", b"{", b"{}", b"7", b"\xff"])
def test_a_member_that_says_something_else_has_all(metadata: bytes | None) -> None:
    assert named_in(metadata) == set()


async def test_kept_retries_are_counted_for_those_who_look(world: World) -> None:
    async def failing(_call: Call) -> int:
        return 500

    async with receiving(failing) as receiver:
        async with world.working(config_of(webhook("gone", receiver.url), retry_schedule=["1h"])):
            await world.publish(change_event(1))
            await until(lambda: len(receiver.calls) == 1)
        async with world.working(config_of()):
            await until_async(lambda: is_removed(world, "gone"))
        assert await parked(world.cluster, lambda *_: None) == {"gone": 1}

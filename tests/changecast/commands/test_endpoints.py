"""`changecast endpoints` with a sinks worker and a receiver."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from aiokafka import TopicPartition

from changecast.deliveries.attempts import Counts
from changecast.deliveries.endpoint_tables import endpoints_table
from changecast.deliveries.endpoints import EndpointView, write
from changecast.deliveries.parked import TooMany, parked
from changecast.options import output
from runtime.offsets import committed_offsets
from schemas.delivery import EndpointState, Outcome
from sinks.topics import group_id
from tests.changecast.commands.operators import Operator, attempt, hook, record
from tests.eventually import until
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook

NOW = datetime(2025, 1, 21, 12, tzinfo=UTC)


@pytest.fixture
async def world(bootstrap_servers: str, topic_prefix: str) -> World:
    world = World(bootstrap_servers, topic_prefix)
    await world.prepare()
    return world


async def test_each_endpoint_is_listed_with_its_state_and_the_last_hours_counts(world: World, tmp_path: Path) -> None:
    operator = Operator(world, tmp_path, hook("hook"), hook("fresh"))
    now = datetime.now(UTC)
    await write(world.cluster, [EndpointState(subscription="hook", since=now), EndpointState(subscription="gone", since=now)])
    earlier = now - timedelta(minutes=1)
    await record(
        world,
        *(attempt(3, at=earlier, outcome="retry", error="status 503"), attempt(4, at=earlier, outcome="dead")),
        *(attempt(1, at=now, ms=10), attempt(2, at=now, ms=30)),
    )
    listed = {one["subscription"]: one for one in orjson.loads((await operator.types("endpoints", "list", "--json")).output)}
    assert {name: one["status"] for name, one in listed.items()} == {
        "hook": "ok",
        "fresh": "not served yet",
        "gone": "not in the config",
    }
    counts = listed["hook"]["counts"]
    assert (counts["delivered"], counts["retried"], counts["dead"], counts["median_ms"]) == (2, 1, 1, 30)
    assert "hook" in (await operator.types("endpoints", "list")).output


async def test_an_endpoint_whose_last_attempt_failed_is_failing_at_once(world: World, tmp_path: Path) -> None:
    operator = Operator(world, tmp_path, hook("hook"))
    now = datetime.now(UTC)
    await write(world.cluster, [EndpointState(subscription="hook", since=now)])
    await record(
        world,
        attempt(1, at=now - timedelta(seconds=9)),
        attempt(2, at=now, outcome="retry", error="no connection to 192.0.2.7"),
    )
    shown = (await operator.types("endpoints", "list")).output
    assert "failing" in shown
    assert "hook: the last attempt failed: no connection to 192.0.2.7" in shown


async def test_what_waits_for_its_next_attempt_is_counted_by_subscription(world: World, tmp_path: Path) -> None:
    failing = True

    async def moody(call: Call) -> int:
        return 500 if failing and call.path == "/moody" else 200

    async with receiving(moody) as receiver:
        moody_url = f"{receiver.url}/moody"
        operator = Operator(world, tmp_path, hook("moody", moody_url), hook("well", receiver.url))
        subscriptions = webhook("moody", moody_url), webhook("well", receiver.url)
        config = config_of(*subscriptions, retry_schedule=["5s", "5s"], breaker={"failed": 1})

        async def waiting(moody: int) -> bool:
            listed = orjson.loads((await operator.types("endpoints", "list", "--json")).stdout)
            found = {one["subscription"]: one["waiting"] for one in listed}
            return found == {"moody": moody, "well": 0}

        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(5)))
            await until(lambda: waiting(5))
        assert await waiting(5)  # no worker runs now, and they wait all the same
        with pytest.raises(TooMany):
            await parked(world.cluster, lambda done, total: None, most=1)
        assert "waiting" in (await operator.types("endpoints", "list")).stdout
        failing = False
        async with world.working(config):
            await until(lambda: waiting(0))
    assert len([call for call in receiver.calls if call.path == "/moody"]) >= 10


def test_what_is_wrong_with_an_endpoint_stands_below_in_words() -> None:
    failing = EndpointState(subscription="a", since=NOW, failing_since=NOW - timedelta(hours=3))
    disabled = EndpointState(subscription="b", since=NOW, disabled_at=NOW, disabled_reason="status 410")
    views = [
        EndpointView("a", "webhook", failing, Counts(last_error="status 503")),
        EndpointView("b", "slack", disabled, Counts()),
        EndpointView("c", None, EndpointState(subscription="c", since=NOW, removed_at=NOW - timedelta(hours=3)), Counts()),
        EndpointView("d", None, EndpointState(subscription="d", since=NOW, removed_at=NOW - timedelta(days=3)), Counts()),
    ]
    console = output()
    with console.capture() as capture:
        console.print(endpoints_table(views, NOW, timedelta(days=5), timedelta(days=1), console.width))
    assert "a has failed for 3 h: status 503. It is disabled in 4 d 21 h." in capture.get()
    words = " ".join(capture.get().split())
    assert (
        "c is in no sinks worker's config since 2025-01-21 09:00:00 UTC. Its retries and its place are kept for 21 h more"
        in words
    )
    assert "nothing of it is kept. `changecast endpoints forget d` takes it off this list." in words
    assert [view.word() for view in views] == ["failing", "disabled", "removed", "removed"]
    assert views[2].as_json()["state"]["removed_at"] == "2025-01-21T09:00:00+00:00"
    assert "b is disabled since 2025-01-21 12:00:00 UTC: status 410. `changecast endpoints enable b`" in capture.get()


async def test_an_endpoint_that_is_enabled_again_gets_what_it_missed_in_order(world: World, tmp_path: Path) -> None:
    async with receiving() as receiver:
        operator = Operator(world, tmp_path, hook("hook", receiver.url))
        async with world.working(config_of(webhook("hook", receiver.url))):
            result = await operator.types("endpoints", "disable", "hook", "--reason", "moves")
            assert result.exit_code == 0, result.output
            again = await operator.types("endpoints", "disable", "hook")
            assert "disabled already" in again.output
            assert "disabled by hand: moves" in again.output
            await until(lambda: _swallowed(world, receiver.calls))
            seen = len(receiver.calls)
            await world.publish(*(change_event(number) for number in (1, 2, 3)))
            refused = await operator.types("replay", "--subscription", "hook", "--since", "1h")
            assert refused.exit_code == 1
            assert "changecast endpoints enable hook" in refused.output
            assert len(receiver.calls) == seen
            result = await operator.types("endpoints", "enable", "hook")
            assert result.exit_code == 0, result.output
            assert "events that it wants came meanwhile" in result.output
            await until(lambda: len(missed(receiver.calls)) >= 3)
            assert missed(receiver.calls) == [f"event-63057-{number}" for number in (1, 2, 3)]
            assert "hook is not disabled" in (await operator.types("endpoints", "enable", "hook")).output


def missed(calls: list[Call]) -> list[str]:
    ids = [str(orjson.loads(call.body)["id"]) for call in calls]
    return [one for one in ids if one.startswith("event-63057")]


async def _swallowed(world: World, calls: list[Call]) -> bool:
    """Whether the worker has learnt that the endpoint is disabled: an event is read, and not delivered."""
    before = len(calls)
    await world.publish(change_event(entity_id=f"probe-{uuid4()}"))
    topics = world.cluster.topics
    places = [TopicPartition(topics.changes("tmdb").name, number) for number in range(topics.partitions)]
    async with world.cluster.consumer(group_id=None) as consumer:
        ends = await consumer.end_offsets(places)

    async def read() -> bool:
        committed = await committed_offsets(world.cluster, group_id(topics), places)
        return all((offset := committed[place]) is not None and offset.offset >= ends[place] for place in places if ends[place])

    await until(read)
    return len(calls) == before


async def test_what_died_with_the_endpoint_is_offered_and_sent_again(world: World, tmp_path: Path) -> None:
    gone = True

    async def answer(call: Call) -> int:
        return 410 if gone else 200

    async def ended() -> bool:
        return any(one.outcome is Outcome.DISABLED for one in await world.attempts())

    async with receiving(answer) as receiver:
        operator = Operator(world, tmp_path, hook("hook", receiver.url))
        async with world.working(config_of(webhook("hook", receiver.url))):
            await world.publish(change_event(1))
            await until(ended)
            listed = await operator.types("endpoints", "list")
            assert "hook is disabled since" in listed.output
            assert "status 410" in listed.output
            gone = False
            result = await operator.types("endpoints", "enable", "hook", "--retry-dead")
            assert "1 delivery died with it." in result.output
            assert "1 handed to the sinks." in result.output
            await until(lambda: len(receiver.calls) == 2)
            assert receiver.calls[0].id == receiver.calls[1].id


async def test_an_endpoint_that_failed_for_days_is_not_disabled_again_by_the_next_failure(world: World, tmp_path: Path) -> None:
    async def answer(call: Call) -> int:
        return 500

    async def states() -> EndpointState:
        records = await world.records(world.cluster.topics.endpoints.name)
        return EndpointState.model_validate_json(records[-1].value)

    async def disabled() -> bool:
        return (await states()).disabled_at is not None

    async def given_up() -> bool:
        return any(one.outcome is Outcome.DISABLED for one in await world.attempts())

    async with receiving(answer) as receiver:
        operator = Operator(world, tmp_path, hook("hook", receiver.url))
        config = config_of(
            webhook("hook", receiver.url), retry_schedule=["1s"] * 30, disable_after="3s", breaker={"requests": 1000}
        )
        async with world.working(config):
            await world.publish(change_event(1))
            await until(given_up)
            calls = len(receiver.calls)
            await operator.types("endpoints", "enable", "hook", "--retry-dead")
            await until(lambda: len(receiver.calls) > calls + 1)
            assert not await disabled()

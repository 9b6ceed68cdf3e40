"""`changecast deliveries` on a real Kafka, and with a sinks worker and a receiver where deliveries are sent again."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from changecast.deliveries.attempts import Filter, follow
from schemas.delivery import Outcome
from sinks.signing import webhook_id
from tests.changecast.commands.operators import Operator, attempt, hook, record
from tests.eventually import until
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook

ID = webhook_id("event-63057-1", "hook")


@pytest.fixture
async def world(bootstrap_servers: str, topic_prefix: str) -> World:
    world = World(bootstrap_servers, topic_prefix)
    await world.prepare()
    return world


@pytest.fixture
def operator(world: World, tmp_path: Path) -> Operator:
    return Operator(world, tmp_path, hook("hook"), hook("newsroom"))


async def test_before_anything_was_delivered_the_list_says_so(operator: Operator) -> None:
    result = await operator.types("deliveries", "list")
    assert result.exit_code == 0
    assert "Nothing was delivered since" in result.output


async def test_attempts_are_listed_oldest_first_with_all_that_an_operator_looks_for(world: World, operator: Operator) -> None:
    now = datetime.now(UTC)
    await record(
        world,
        attempt(2, at=now, outcome="retry", status_code=503, next_at=now + timedelta(minutes=5), error="status 503"),
        attempt(1, at=now - timedelta(minutes=1)),
    )
    lines = (await operator.types("deliveries", "list")).output.splitlines()
    assert lines[0].split()[:3] == ["when", "(UTC)", "subscription"]
    assert "delivered" in lines[1]
    assert "The Kingsroad" in lines[1]
    assert "image added (en)" in lines[1]
    assert ID in lines[1]
    assert "retry" in lines[2]
    assert "503" in lines[2]


async def test_the_list_is_narrowed_by_subscription_outcome_time_and_number(world: World, operator: Operator) -> None:
    await record(
        world,
        *(attempt(number, outcome="dead") for number in range(5)),
        attempt(7, "newsroom", outcome="dead"),
        attempt(8),
    )
    result = await operator.types("deliveries", "list", "--subscription", "hook", "--outcome", "dead", "--limit", "3", "--json")
    documents = [orjson.loads(line) for line in result.output.splitlines()]
    assert [one["event_id"] for one in documents] == ["event-63057-2", "event-63057-3", "event-63057-4"]
    assert (
        "The last 3 of 5 attempts"
        in (await operator.types("deliveries", "list", "--subscription", "hook", "--outcome", "dead", "--limit", "3")).output
    )
    assert "Nothing was delivered" in (await operator.types("deliveries", "list", "--since", "2999-01-01")).output


async def test_a_mistyped_subscription_is_answered_with_the_nearest(operator: Operator) -> None:
    result = await operator.types("deliveries", "list", "--subscription", "newsrom")
    assert result.exit_code == 2
    assert "did you mean newsroom?" in result.output


async def test_following_shows_what_comes_and_nothing_else(world: World) -> None:
    await record(world, attempt(1))
    started = asyncio.Event()
    attempts = follow(world.cluster, Filter(subscription="hook"), started.set)
    async with asyncio.timeout(20):
        first = asyncio.ensure_future(anext(attempts))
        await started.wait()
        await record(world, attempt(2, "newsroom"), attempt(3))
        assert (await first).event_id == "event-63057-3"
    await attempts.aclose()  # type: ignore[attr-defined]


async def test_a_list_that_is_followed_has_no_footer_amid_its_lines(world: World, operator: Operator) -> None:
    await record(world, attempt(1))
    command = (sys.executable, "-m", "changecast", "deliveries", "list", "-c", str(operator.path), "--follow")
    following = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert following.stdout is not None
    try:
        async with asyncio.timeout(30):
            lines = [await following.stdout.readline() for _ in range(2)]  # before anything has come
            # what is written before it has found the end is told with what there was, or not at all
            coming = asyncio.create_task(following.stdout.readline())
            number = 1
            while not coming.done():
                number += 1
                await record(world, attempt(number))
                await asyncio.wait([coming], timeout=0.2)
            lines.append(await coming)
            following.send_signal(signal.SIGINT)
            rest, errors = await following.communicate()
    finally:
        if following.returncode is None:
            following.kill()
    assert lines[0].split()[:2] == [b"when", b"(UTC)"]
    assert all(b"The Kingsroad" in line for line in [*lines[1:], *rest.splitlines()])
    assert (following.returncode, errors.strip()) == (130, b"")


async def test_a_delivery_is_shown_by_the_first_digits_with_each_attempt_and_answer(world: World, operator: Operator) -> None:
    now = datetime.now(UTC)
    due = now + timedelta(minutes=5)
    await record(
        world,
        attempt(
            1, attempt=2, at=now, outcome="retry", status_code=500, error="status 500", next_at=due, answer="at home\n\x1b[31mred"
        ),
        attempt(
            1,
            at=now - timedelta(minutes=1),
            outcome="retry",
            status_code=None,
            error="no answer within 15 s",
            address="192.0.2.7",
        ),
        attempt(2),
    )
    result = await operator.types("deliveries", "show", ID[:12])
    assert result.exit_code == 0
    assert "waits for attempt 3" in result.output
    assert "192.0.2.7" in result.output
    assert f"{due:%m-%d %H:%M:%S}" in result.output
    assert "Answer to attempt 2:" in result.output
    assert "\x1b" not in result.output
    assert result.output.index("no answer within 15 s") < result.output.index("status 500")


@pytest.mark.parametrize(("name", "code"), [("msg_0000", 1), ("event-1", 2)])
async def test_a_delivery_that_there_is_none_of_is_named_with_the_way_to_find_one(
    operator: Operator, name: str, code: int
) -> None:
    result = await operator.types("deliveries", "show", name)
    assert result.exit_code == code
    assert name in result.output


@pytest.mark.parametrize("arguments", [(), ("msg_00000000", "--subscription", "hook")])
async def test_a_retry_names_deliveries_or_chooses_them(operator: Operator, arguments: tuple[str, ...]) -> None:
    assert (await operator.types("deliveries", "retry", *arguments)).exit_code == 2


async def test_dead_deliveries_are_sent_again_with_their_id_and_the_whole_schedule(world: World, tmp_path: Path) -> None:
    broken = True

    async def answer(call: Call) -> int:
        return 500 if broken else 200

    async def dead(count: int) -> bool:
        return sum(one.outcome is Outcome.DEAD for one in await world.attempts()) >= count

    async def delivered(count: int) -> bool:
        return sum(one.outcome is Outcome.DELIVERED for one in await world.attempts()) >= count

    async with receiving(answer) as receiver:
        operator = Operator(world, tmp_path, hook("hook", receiver.url))
        config = config_of(webhook("hook", receiver.url), retry_schedule=["1s"], breaker={"failed": 1})
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in (1, 2, 3)))
            await until(lambda: dead(3))
            named = webhook_id("event-2-2", "hook")
            assert "1 to send again" in (await operator.types("deliveries", "retry", named, "--dry-run")).output
            calls = len(receiver.calls)
            result = await operator.types("deliveries", "retry", named)
            assert (result.exit_code, result.output.splitlines()[-1]) == (0, "1 handed to the sinks.")
            await until(lambda: dead(4))
            assert [call.id for call in receiver.calls[calls:]] == [named, named]
            broken = False
            result = await operator.types("deliveries", "retry", "--subscription", "hook", "--outcome", "dead", "--since", "1h")
            assert "3 handed to the sinks." in result.output
            await until(lambda: delivered(3))
            again = await operator.types("deliveries", "retry", "--subscription", "hook")
            assert "3 deliveries are left out: delivered since" in again.output
            assert "0 to send again." in again.output
            refused = await operator.types("deliveries", "retry", named)
            assert "was delivered at" in refused.output
    tries = [one.attempt for one in await world.attempts() if one.webhook_id == named]
    assert tries == [1, 2, 1, 2, 1]


async def test_what_waits_already_is_not_handed_over_once_more(world: World, tmp_path: Path) -> None:
    async def refuse(call: Call) -> int:
        return 500

    async def dead() -> bool:
        return [one.outcome for one in await world.attempts()].count(Outcome.DEAD) == 2

    async with receiving(refuse) as receiver:
        operator = Operator(world, tmp_path, hook("hook", receiver.url))
        async with world.working(config_of(webhook("hook", receiver.url), retry_schedule=[], breaker={"failed": 1})):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in (1, 2)))
            await until(dead)
        # nobody delivers from here on
        named = webhook_id("event-1-1", "hook")
        assert "1 handed to the sinks." in (await operator.types("deliveries", "retry", named)).output
        again = (await operator.types("deliveries", "retry", named)).output
        assert f"{named} is left out: it has been handed to the sinks already, and waits." in again
        assert "0 to send again." in again
        rest = (await operator.types("deliveries", "retry", "--subscription", "hook")).output
        assert "1 delivery is left out: handed to the sinks already, and waiting." in rest
        assert "1 handed to the sinks." in rest


async def test_a_retry_that_is_long_overdue_is_not_said_to_be_waiting_for_its_time(world: World, operator: Operator) -> None:
    now = datetime.now(UTC)
    await record(
        world, attempt(1, at=now - timedelta(hours=2), outcome="retry", next_at=now - timedelta(hours=1), error="status 500")
    )
    shown = " ".join((await operator.types("deliveries", "show", ID[:12])).output.split())
    assert "attempt 2 was due at" in shown
    assert "behind the endpoint's other deliveries or its breaker, or was dropped with its subscription" in shown
    refused = await operator.types("deliveries", "retry", ID[:12])
    assert "its attempt 2 was due at" in refused.output


async def test_what_is_sent_again_takes_nobodys_turn_of_the_same_entity(world: World, tmp_path: Path) -> None:
    """A first attempt of the entity is in flight while a dead one of it is sent again: the next first attempt still waits for its turn."""
    slow = asyncio.Event()

    async def answer(call: Call) -> int:
        number = orjson.loads(call.body)["id"].rsplit("-", 1)[1]
        if number == "1":
            return 200 if len([one for one in receiver.calls if one.id == call.id]) > 1 else 500
        if number == "2":
            await slow.wait()
        return 200

    async with receiving(answer) as receiver:
        operator = Operator(world, tmp_path, hook("hook", receiver.url))
        config = config_of(webhook("hook", receiver.url), retry_schedule=[], breaker={"failed": 1})
        async with world.working(config):
            await world.publish(change_event(1))
            await until(lambda: _dead(world))
            await world.publish(change_event(2), change_event(3))
            await until(lambda: len(receiver.calls) >= 2)
            await operator.types("deliveries", "retry", "--subscription", "hook")
            await until(lambda: len(receiver.calls) >= 3)
            assert receiver.calls[-1].id == ID
            slow.set()
            await until(lambda: len(receiver.calls) >= 4)
    assert [orjson.loads(call.body)["id"] for call in receiver.calls] == [f"event-63057-{number}" for number in (1, 2, 1, 3)]


async def _dead(world: World) -> bool:
    return bool(await world.records(world.cluster.topics.dead.name))

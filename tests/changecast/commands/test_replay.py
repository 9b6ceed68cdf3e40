"""`changecast replay` and `changecast match`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from tests.changecast.commands.operators import Operator, hook
from tests.eventually import until
from tests.sinks.worlds import World, change_event, config_of, receiving, webhook


@pytest.fixture
async def world(bootstrap_servers: str, topic_prefix: str) -> World:
    world = World(bootstrap_servers, topic_prefix)
    await world.prepare()
    return world


async def test_a_replay_delivers_again_what_matches_with_the_same_ids(world: World, tmp_path: Path) -> None:
    async with receiving() as receiver:
        operator = Operator(world, tmp_path, hook("hook", receiver.url, match={"entity": "movie"}))
        async with world.working(config_of(webhook("hook", receiver.url))):
            await world.publish(*(change_event(number, entity="movie", entity_id=str(number)) for number in range(12)))
            await world.publish(change_event(99))
            await until(lambda: len(receiver.calls) >= 13)
            before = {call.id for call in receiver.calls}
            dry = await operator.types("replay", "--subscription", "hook", "--since", "1h", "--dry-run")
            assert "and 2 more" in dry.output
            assert "12 of 13 events match." in dry.output
            result = await operator.types("replay", "--subscription", "hook", "--since", "1h", "--rate", "1000")
            assert result.exit_code == 0, result.output
            assert "12 handed to the sinks" in result.output
            await until(lambda: len(receiver.calls) >= 25)
            again = receiver.calls[13:]
            assert len({call.id for call in again}) == 12
            assert {call.id for call in again} < before


async def test_a_replay_takes_what_was_published_from_since_on_and_before_until(world: World, tmp_path: Path) -> None:
    async with receiving() as receiver:
        operator = Operator(world, tmp_path, hook("hook", receiver.url))
        moments = []
        for number in range(3):
            await world.publish(change_event(number, entity_id=str(number)))
            (newest,) = sorted(
                (record.timestamp for record in await world.records(world.cluster.topics.changes("tmdb").name)), reverse=True
            )[:1]
            moments.append(newest)
            await until(lambda: time.time() * 1000 > moments[-1] + 20)
        span = ("--since", utc(moments[1]), "--until", utc(moments[2]))
        dry = await operator.types("replay", "--subscription", "hook", *span, "--dry-run")
        assert "1 of 1 event matches." in dry.output, dry.output
        result = await operator.types("replay", "--subscription", "hook", *span)
        assert "1 handed to the sinks" in result.output
        async with world.working(config_of(webhook("hook", receiver.url))):
            await until(lambda: receiver.calls)
            await world.publish(change_event(9))
            await until(lambda: len(receiver.calls) == 2)
    assert [orjson.loads(call.body)["id"] for call in receiver.calls] == ["event-1-1", "event-63057-9"]


def utc(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


async def test_a_replay_when_no_worker_runs_waits_for_one(world: World, tmp_path: Path) -> None:
    async with receiving() as receiver:
        operator = Operator(world, tmp_path, hook("hook", receiver.url))
        await world.publish(change_event(1))
        result = await operator.types("replay", "--subscription", "hook", "--since", "1h")
        assert "No sinks worker runs" in result.output
        async with world.working(config_of(webhook("hook", receiver.url))):
            await until(lambda: receiver.calls)


@pytest.mark.parametrize("command", ["replay", "match"])
@pytest.mark.parametrize("times", [("--since", "2999-01-01"), ("--since", "1h", "--until", "2h")])
async def test_an_empty_time_is_a_wrong_usage(world: World, tmp_path: Path, command: str, times: tuple[str, ...]) -> None:
    operator = Operator(world, tmp_path, hook("hook"))
    result = await operator.types(command, "--subscription", "hook", *times)
    assert result.exit_code == 2
    assert "the time is empty" in result.output


async def test_a_filter_is_tried_on_the_last_hours_events(world: World, tmp_path: Path) -> None:
    operator = Operator(
        world,
        tmp_path,
        hook("movies", match={"entity": "movie"}),
        hook("odd", when="event.data.entity.number > 1 && event.data.nothing == 2"),
        hook("none", match={"provider": "pbs"}),
    )
    await world.publish(change_event(1, entity="movie"), change_event(2), change_event(3, entity="movie"))
    summary = (await operator.types("match")).output
    assert "3 events since" in summary
    assert "odd: its `when` failed on 3 events" in summary
    lines = {line.split()[0]: line.split()[1] for line in summary.splitlines() if line.strip()}
    assert (lines["movies"], lines["none"]) == ("2", "0")
    one = (await operator.types("match", "--subscription", "movies", "--limit", "1")).output
    assert "event-63057-3" in one
    assert "event-63057-1" not in one
    assert "movies matches 2" in one
    document = orjson.loads((await operator.types("match", "--json")).output)
    assert document["subscriptions"][1]["when_failed"] == 3


async def test_one_event_goes_again_to_all_that_want_it_with_its_webhook_ids(world: World, tmp_path: Path) -> None:
    hooks = {"movies": {"entity": "movie"}, "all": {}, "pbs": {"provider": "pbs"}}
    event = change_event(1, entity="movie", entity_id="550").model_copy(update={"id": "tmdb:movie:550:1"})
    async with receiving() as receiver:
        operator = Operator(
            world, tmp_path, *(hook(name, f"{receiver.url}/{name}", match=match) for name, match in hooks.items())
        )
        subscriptions = [webhook(name, f"{receiver.url}/{name}", match=match) for name, match in hooks.items()]
        async with world.working(config_of(*subscriptions)):
            await world.publish(event, change_event(2, entity="movie", entity_id="550"))
            await until(lambda: len(receiver.calls) == 4)
            first = {call.id for call in receiver.calls if orjson.loads(call.body)["id"] == event.id}
            dry = await operator.types("replay", "--event", event.id, "--dry-run")
            assert "2 deliveries to replay." in dry.output, dry.output
            result = await operator.types("replay", "--event", event.id)
            assert "2 handed to the sinks." in result.output, result.output
            await until(lambda: len(receiver.calls) == 6)
            again = receiver.calls[4:]
            assert {call.path for call in again} == {"/movies", "/all"}
            assert {call.id for call in again} == first
            one = await operator.types("replay", "--event", event.id, "--subscription", "movies")
            assert one.exit_code == 0, one.output
            await until(lambda: len(receiver.calls) == 7)
        assert receiver.calls[6].path == "/movies"
        await operator.types("endpoints", "disable", "movies")
        refused = await operator.types("replay", "--event", event.id, "--subscription", "movies")
        assert (refused.exit_code, "is disabled" in refused.output) == (1, True)
        unwanted = await operator.types("replay", "--event", event.id, "--subscription", "pbs")
        assert unwanted.exit_code == 1
        assert "the filter of pbs does not match tmdb:movie:550:1: provider is tmdb" in unwanted.output
        entity = await operator.types("replay", "--event", "tmdb:movie:550")
        assert (entity.exit_code, "is an entity, not an event" in entity.output) == (2, True)
    assert len(receiver.calls) == 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--event", "tmdb:movie:550:1", "--since", "2h"), "leave out --since"),
        (("--event", "msg_1"), "is a webhook-id"),
        (("--event", "x"), "an event's id begins with one"),
        (("--since", "2h"), "needs a --subscription"),
        ((), "say what to replay"),
    ],
)
async def test_what_names_no_event_is_a_wrong_usage(world: World, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = await Operator(world, tmp_path, hook("hook")).types("replay", *arguments)
    assert (result.exit_code, words in result.output) == (2, True), result.output


async def test_an_event_that_is_not_kept_is_said_so(world: World, tmp_path: Path) -> None:
    result = await Operator(world, tmp_path, hook("hook")).types("replay", "--event", "tmdb:movie:550:1")
    assert (result.exit_code, "no event tmdb:movie:550:1 is kept" in result.output) == (1, True)

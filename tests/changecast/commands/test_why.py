"""`changecast why` on a real Kafka: each outcome by what stands in the topics, or by what a sinks worker has committed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from changecast.deliveries.endpoints import write
from schemas.delivery import EndpointState
from schemas.event import Change
from sinks.signing import webhook_id
from tests.changecast.commands.operators import Operator, attempt, hook, record
from tests.eventually import until
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook

URN = "tmdb:episode:63057"
TITLE = Change(key="title", action="updated")


@pytest.fixture
async def world(bootstrap_servers: str, topic_prefix: str) -> World:
    world = World(bootstrap_servers, topic_prefix)
    await world.prepare()
    return world


async def answers(operator: Operator, named: str = URN, *arguments: str) -> dict[str, tuple[str, str]]:
    """By subscription, the outcome and the reason for the newest event."""
    result = await operator.types("why", named, "--json", *arguments)
    assert result.exit_code == 0, result.output
    newest = orjson.loads(result.stdout)["newest"][-1]  # the worker of this process logs beside it
    return {one["subscription"]: (one["outcome"], one["reason"]) for one in newest["subscriptions"]}


async def has(operator: Operator, subscription: str, outcome: str, reason: str = "") -> bool:
    found = (await answers(operator))[subscription]
    return found[0] == outcome and reason in found[1]


async def begun(world: World, *names: str, **fields: Any) -> None:
    """These subscriptions began an hour ago, and are served by nobody."""
    since = fields.pop("since", datetime.now(UTC) - timedelta(hours=1))
    await write(world.cluster, [EndpointState(subscription=name, since=since, **fields) for name in names])


async def test_what_attempts_say_is_told_with_the_error_and_what_to_do(world: World, tmp_path: Path) -> None:
    names = ("sent", "waiting", "dead", "ended")
    operator = Operator(world, tmp_path, *map(hook, names))
    await world.publish(change_event(1))
    await begun(world, *names)
    now = datetime.now(UTC)
    due = now + timedelta(minutes=5)
    await record(
        world,
        attempt(1, "sent", at=now, attempt=2),
        attempt(1, "sent", at=now - timedelta(minutes=1), outcome="retry", error="status 500", next_at=now),
        attempt(1, "waiting", at=now, outcome="retry", error="status 503", next_at=due),
        attempt(1, "dead", at=now, attempt=9, outcome="dead", error="no connection to \x1b[31m192.0.2.7"),
        attempt(1, "ended", at=now, outcome="disabled", error="status 410"),
    )
    found = await answers(operator)
    assert found["sent"] == ("delivered", f"at {now:%m-%d %H:%M:%S} UTC, attempt 2, status 200")
    assert found["waiting"] == ("waits", f"for attempt 2 at {due:%m-%d %H:%M:%S} UTC; attempt 1: status 503")
    dead, ended = (webhook_id("event-63057-1", name)[:12] for name in ("dead", "ended"))
    assert found["dead"][0] == "dead"
    assert f"192.0.2.7; `changecast deliveries retry {dead}` sends it again" in found["dead"][1]
    assert found["ended"][0] == "disabled"
    assert f"status 410; `changecast deliveries retry {ended}` sends it again once that is enabled" in found["ended"][1]
    shown = (await operator.types("why", URN)).output
    assert "after 9 attempts: no connection to" in shown
    assert "\x1b" not in shown


async def test_why_a_filter_does_not_want_it_is_told_in_the_configs_words(world: World, tmp_path: Path) -> None:
    operator = Operator(
        world,
        tmp_path,
        hook("movies", match={"entity": "movie"}),
        hook("stills", match={"key": "images", "action": "added", "language": "en"}),
        hook("wide", when="event.data.images.exists(i,\n  i.width > 1280)"),
        hook("broken", when="event.data.nowhere.at.all == 1"),
        hook("ops", alerts=True),
        hook("ops-and-titles", alerts=True, match={"key": "title"}),
    )
    await world.publish(
        change_event(1, changes=[TITLE, Change(key="images", action="added"), Change(key="name", action="added", language="en")])
    )
    found = await answers(operator)
    assert {outcome for name, (outcome, _) in found.items() if name != "ops-and-titles"} == {"no_match"}
    reasons = {name: reason for name, (_, reason) in found.items()}
    assert reasons["movies"] == "entity is episode; `match.entity` wants movie"
    assert (
        reasons["stills"] == "no one change has key images, action added and language en together; closest: images, added, null"
    )
    assert reasons["wide"] == "`when` is false: event.data.images.exists(i, i.width > 1280)"
    assert reasons["broken"].startswith("`when` failed, which counts as no match: ")
    assert "nowhere" in reasons["broken"]
    assert reasons["ops"].startswith("it gets alerts and no changes")
    assert found["ops-and-titles"][0] != "no_match"
    gap = change_event(2, entity="feed", entity_id="tv", changes=[Change(key="gap", action="created")])
    await world.publish(gap, change_event(3, entity_id="7", changes=[]))
    assert "`match.key: gap`" in (await answers(operator, "tmdb:feed:tv"))["wide"][1]
    assert "`match.unchanged: true`" in (await answers(operator, "tmdb:episode:7"))["wide"][1]


async def test_what_nobody_has_come_to_is_told_by_when_the_subscription_began_and_who_is_there(
    world: World, tmp_path: Path
) -> None:
    operator = Operator(world, tmp_path, *map(hook, ("late", "fresh", "idle", "off")), hook("early", **{"from": "1h"}))
    await world.publish(change_event(1))
    await begun(world, "late", since=datetime.now(UTC) + timedelta(seconds=1))
    await begun(world, "idle")
    await begun(world, "off", disabled_at=datetime.now(UTC), disabled_reason="disabled by hand: moves")
    found = await answers(operator)
    assert {name: outcome for name, (outcome, _) in found.items()} == {
        "late": "before_its_time",
        "fresh": "before_its_time",
        "early": "not_yet",
        "idle": "not_yet",
        "off": "disabled",
    }
    assert "the subscription began at" in found["late"][1]
    assert "changecast replay -s late --since" in (await operator.types("why", URN)).output
    assert "no sinks worker has met this subscription" in found["fresh"][1]
    assert "no sinks worker runs" in found["idle"][1]
    assert "disabled by hand: moves" in found["off"][1]
    assert "`changecast endpoints enable off`" in found["off"][1]


async def test_what_the_sinks_passed_before_the_filter_was_mended_comes_with_the_command_that_sends_it(
    world: World, tmp_path: Path
) -> None:
    async with receiving() as receiver:
        operator = Operator(world, tmp_path, hook("hook", receiver.url))
        async with world.working(config_of(webhook("hook", receiver.url, match={"entity": "movie"}))):
            await world.publish(change_event(1), change_event(2, entity="movie"))
            await until(lambda: receiver.calls)
            await until(lambda: has(operator, "hook", "passed_over"))
        shown = (await operator.types("why", URN)).output
        assert (await answers(operator, "tmdb:movie:63057"))["hook"][0] == "delivered"
        command = shown.splitlines()[-1].split()
        assert command[:4] == ["changecast", "replay", "-s", "hook"]
        result = await operator.types(*command[1:])
        assert "handed to the sinks" in result.output, result.output
        async with world.working(config_of(webhook("hook", receiver.url))):
            await until(lambda: has(operator, "hook", "delivered"))
    assert "event-63057-1" in [orjson.loads(call.body)["id"] for call in receiver.calls]


async def test_what_a_worker_has_in_hand_or_lets_wait_is_not_said_to_be_passed_over(world: World, tmp_path: Path) -> None:
    slow = asyncio.Event()

    async def answer(call: Call) -> int:
        if call.path == "/slow":
            await slow.wait()
        return 410 if call.path == "/gone" else 200

    async with receiving(answer) as receiver:
        hooks = [webhook(name, f"{receiver.url}/{name}") for name in ("fast", "slow", "gone")]
        operator = Operator(world, tmp_path, *(hook(one["name"], one["webhook"]["url"]) for one in hooks))
        async with world.working(config_of(*hooks)):
            await world.publish(change_event(1))
            await until(lambda: has(operator, "fast", "delivered"))
            await until(lambda: has(operator, "slow", "not_yet", "in its endpoint's queue, or on its way"))
            await until(lambda: has(operator, "gone", "disabled", "it ended with its endpoint"))
            # the endpoint that is gone is read for at a cursor of its own
            await world.publish(change_event(2))
            await until(lambda: has(operator, "fast", "delivered"))
            await until(lambda: has(operator, "gone", "disabled", "this waits for `changecast endpoints enable gone`"))
            slow.set()
            await until(lambda: has(operator, "slow", "delivered"))
            assert await has(operator, "gone", "disabled", "this waits")


async def test_an_event_is_found_by_its_id_and_the_newest_of_an_entity_by_its_urn(world: World, tmp_path: Path) -> None:
    operator = Operator(world, tmp_path, hook("hook", match={"entity": "movie"}), hook("other", match={"provider": "pbs"}))
    events = [change_event(number).model_copy(update={"id": f"{URN}:{number}"}) for number in range(5)]
    await world.publish(*events, change_event(7, entity_id="63058"), change_event(8, entity="movie"))
    document = orjson.loads((await operator.types("why", f"{URN}:3", "--json", "--subscription", "hook")).output)
    assert [one["id"] for one in document["newest"]] == [f"{URN}:3"]
    assert document["newest"][0]["subject"] == URN
    (answer,) = document["newest"][0]["subscriptions"]
    assert (answer["subscription"], answer["webhook_id"]) == ("hook", webhook_id(f"{URN}:3", "hook"))
    assert answer["last_attempt"] is None
    document = orjson.loads((await operator.types("why", URN, "--json", "--limit", "2")).output)
    assert (document["events"], [one["id"] for one in document["newest"]]) == (5, [f"{URN}:3", f"{URN}:4"])
    shown = (await operator.types("why", URN, "--limit", "2")).output
    assert "The last 2 of 5 events since" in shown
    lines = shown.splitlines()
    assert lines[0].rstrip().endswith(" UTC  Game of Thrones S01E02 The Kingsroad  image added (en)")
    assert lines[1].split() == [f"{URN}:3"]
    assert lines[2].split()[:3] == ["hook", "no", "match"]
    assert lines[3].split()[:3] == ["other", "no", "match"]
    before = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    assert "No event of" in (await operator.types("why", URN, "--until", before)).output


async def test_where_nothing_is_found_there_are_other_things_to_try(world: World, tmp_path: Path) -> None:
    operator = Operator(world, tmp_path, hook("hook"))
    result = await operator.types("why", "tmdb:movie:550")
    assert result.exit_code == 0
    assert "No event of tmdb:movie:550 was published since" in result.output
    for way in ("--since 14d", "changecast provider list", "changecast dead list", "changecast fetch tmdb:movie:550"):
        assert way in result.output
    assert "--since 14d" not in (await operator.types("why", "tmdb:movie:550", "--since", "15d")).output
    document = orjson.loads((await operator.types("why", "tmdb:movie:550", "--json")).output)
    assert (document["events"], document["newest"]) == (0, [])


async def test_a_record_of_the_entity_that_is_no_event_is_told_of(world: World, tmp_path: Path) -> None:
    operator = Operator(world, tmp_path, hook("hook"))
    async with world.cluster.producer() as producer:
        await producer.send_and_wait(world.cluster.topics.changes("tmdb").name, b"{", key=URN.encode())
    assert "`changecast dead list --reason bad-event`" in (await operator.types("why", URN)).output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("movie-550",), "it has the form provider:type:id"),
        (("tmbd:movie:550",), "there is no provider 'tmbd'"),
        (("msg_1a2b3c4d",), "`changecast deliveries show msg_1a2b3c4d`"),
        ((URN, "--subscription", "hok"), "did you mean hook?"),
        ((URN, "--since", "2999-01-01"), "the time is empty"),
        ((URN, "--limit", "0"), "--limit"),
    ],
)
async def test_a_wrong_usage_is_answered_with_the_right_one(
    world: World, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = await Operator(world, tmp_path, hook("hook")).types("why", *arguments)
    assert result.exit_code == 2
    assert said in result.output

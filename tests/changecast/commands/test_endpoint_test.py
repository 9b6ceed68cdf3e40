"""`changecast endpoints test`: what is sent, what is shown, and that nothing of it counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from schemas.event import Change
from sinks.signing import webhook_id
from tests.changecast.commands.operators import Operator, hook
from tests.sinks.worlds import SECRET, Call, World, change_event, config_of, receiving, until, webhook

ALLOWED = {"network": {"allow": ["127.0.0.0/8"]}}


@pytest.fixture
async def world(bootstrap_servers: str, topic_prefix: str) -> World:
    world = World(bootstrap_servers, topic_prefix)
    await world.prepare()
    return world


class Sender(Operator):
    """With loopback allowed, as nothing would arrive otherwise."""

    def write(self, *subscriptions: dict[str, Any], **sections: Any) -> None:
        super().write(*subscriptions)
        self.path.write_bytes(orjson.dumps({**orjson.loads(self.path.read_bytes()), **ALLOWED, **sections}))


async def test_the_newest_event_that_the_filter_matches_goes_out_signed_and_with_ids_of_its_own(
    world: World, tmp_path: Path
) -> None:
    async with receiving() as receiver:
        sender = Sender(world, tmp_path, hook("hook", receiver.url, match={"entity": "movie"}))
        newest = change_event(3, entity="movie", entity_id="2")
        await world.publish(change_event(1, entity="movie", entity_id="1"))
        await world.publish(newest)
        await world.publish(change_event(9))
        for _ in range(2):
            result = await sender.types("endpoints", "test", "hook")
            assert result.exit_code == 0, result.output
        assert "Accepted." in result.output
    first, second = receiver.calls
    body = Webhook(SECRET).verify(first.body, first.headers)
    assert body["subject"] == newest.subject
    assert body["id"].startswith(f"{newest.id}:test:")
    assert body["data"] == orjson.loads(newest.to_json())["data"]
    assert first.headers["content-type"] == "application/cloudevents+json"
    assert len({first.id, second.id, webhook_id(newest.id, "hook")}) == 3
    assert webhook_id(body["id"], "hook") == first.id


async def test_nothing_of_it_is_on_record_and_a_410_disables_nothing(world: World, tmp_path: Path) -> None:
    async def gone(call: Call) -> int:
        return 410 if ":test:" in orjson.loads(call.body)["id"] else 200

    async with receiving(gone) as receiver:
        sender = Sender(world, tmp_path, hook("hook", receiver.url))
        async with world.working(config_of(webhook("hook", receiver.url))):
            await world.publish(change_event(1))
            await until(lambda: receiver.calls)
            before = await world.records(world.cluster.topics.endpoints.name)
            result = await sender.types("endpoints", "test", "hook")
            assert result.exit_code == 1
            assert "< status 410" in result.output
            assert "A delivery with this answer disables the endpoint; this test has not." in result.output
            await world.publish(change_event(2))
            await until(lambda: len(receiver.calls) == 3)
        assert [attempt.outcome for attempt in await world.attempts()] == ["delivered", "delivered"]
        assert await world.records(world.cluster.topics.endpoints.name) == before
        listed = orjson.loads((await sender.types("endpoints", "list", "--json")).stdout)
        assert (listed[0]["status"], listed[0]["counts"]["delivered"]) == ("ok", 2)
        for topic in (world.cluster.topics.dead, world.cluster.topics.alerts):
            assert await world.records(topic.name) == []


async def test_a_disabled_endpoint_is_sent_one_too(world: World, tmp_path: Path) -> None:
    async with receiving() as receiver:
        sender = Sender(world, tmp_path, hook("hook", receiver.url))
        async with world.working(config_of(webhook("hook", receiver.url))):
            pass
        assert (await sender.types("endpoints", "disable", "hook")).exit_code == 0
        assert (await sender.types("endpoints", "test", "hook")).exit_code == 0
        assert len(receiver.calls) == 1
        listed = orjson.loads((await sender.types("endpoints", "list", "--json")).stdout)
        assert listed[0]["status"] == "disabled"


async def test_the_event_may_be_named_or_come_from_a_file(world: World, tmp_path: Path) -> None:
    async with receiving() as receiver:
        sender = Sender(world, tmp_path, hook("hook", receiver.url, match={"entity": "movie"}))
        events = [change_event(number, entity_id="7").model_copy(update={"id": f"tmdb:episode:7:{number}"}) for number in (1, 2)]
        await world.publish(events[0])
        await world.publish(events[1])
        file = tmp_path / "event.json"
        file.write_bytes(change_event(5, changes=[Change(key="overview", action="updated")]).to_json())
        for named in (events[0].subject, events[0].id, str(file)):
            result = await sender.types("endpoints", "test", "hook", "--event", named)
            assert result.exit_code == 0, result.output
        sent = [orjson.loads(call.body)["id"].rpartition(":test:")[0] for call in receiver.calls]
        assert sent == [events[1].id, events[0].id, "event-63057-5"]
        (tmp_path / "other.json").write_text("{}")
        for named, code, words in (
            ("tmdb:movie:1", 1, "`changecast fetch URN > event.json`"),
            ("nowhere.json", 2, "--event"),
            (str(tmp_path / "other.json"), 2, "holds no event"),
        ):
            result = await sender.types("endpoints", "test", "hook", "--event", named)
            assert (result.exit_code, words in " ".join(result.output.split())) == (code, True), result.output
    assert len(receiver.calls) == 3


async def test_where_no_event_matches_or_no_kafka_runs_a_sample_is_sent(world: World, tmp_path: Path) -> None:
    async with receiving() as receiver:
        ops = {"name": "ops", "alerts": True, "webhook": {"url": receiver.url, "secret": SECRET}}
        sender = Sender(world, tmp_path, hook("hook", receiver.url), ops)
        assert "a sample" in (await sender.types("endpoints", "test", "hook")).output
        assert (await sender.types("endpoints", "test", "ops")).exit_code == 0
        kafka = {"bootstrap_servers": "127.0.0.1:9"}
        sender.write(hook("hook", receiver.url), kafka=kafka)
        result = await sender.types("endpoints", "test", "hook")
        assert (result.exit_code, "A sample is sent." in result.stderr) == (0, True), result.output
        named = await sender.types("endpoints", "test", "hook", "--event", "tmdb:movie:550")
        assert named.exit_code == 1
    assert [orjson.loads(call.body)["type"] for call in receiver.calls] == [
        "changecast.tmdb.episode.images.added",
        "changecast.alert.endpoint.failing",
        "changecast.tmdb.episode.images.added",
    ]


async def test_request_and_answer_are_shown_without_secrets(world: World, tmp_path: Path) -> None:
    """The receiver sends everything back, as some do."""
    token = "hunter2-Zq81-xxyyzz"

    async def echo(call: Call) -> web.Response:
        said = f"you sent {dict(call.headers)} to {call.path}\x1b[31m"
        return web.Response(status=422, text=said, headers={"X-Echo": call.headers["authorization"]})

    async with receiving(echo) as receiver:
        subscription = hook("hook", f"{receiver.url}/hooks/secret-path-{token}?sig={token}")
        subscription["webhook"]["headers"] = {"Authorization": f"Bearer {token}"}
        sender = Sender(world, tmp_path, subscription)
        shown = await sender.types("endpoints", "test", "hook")
        document = await sender.types("endpoints", "test", "hook", "--json")
    assert (shown.exit_code, document.exit_code) == (1, 1)
    for text in (shown.output, document.output):
        assert token not in text
        assert "secret-path" not in text
        assert SECRET not in text
        assert "\x1b" not in text.replace("\\u001b", "")
    lines = shown.output.splitlines()
    assert f"> POST {receiver.url}/***" in lines
    assert "> authorization: Bearer ***" in lines or "> authorization: ***" in lines
    assert any(line.startswith("> webhook-signature: v1,") for line in lines)
    assert any(line.startswith("< status 422 in ") and line.endswith(" from 127.0.0.1") for line in lines)
    assert lines[-1] == "Not accepted: status 422."
    told = orjson.loads(document.stdout)
    assert (told["accepted"], told["error"], told["event"]["from"]) == (False, "status 422", "sample")
    (exchange,) = told["exchanges"]
    assert exchange["request"]["headers"]["webhook-id"].startswith("msg_")
    assert orjson.loads(exchange["request"]["body"])["id"] == told["event"]["id"]
    assert exchange["answer"]["status"] == 422


async def test_what_does_not_arrive_is_said_so(world: World, tmp_path: Path) -> None:
    sender = Sender(world, tmp_path, hook("hook", "http://10.0.0.1/"), hook("away", "http://127.0.0.1:9/"))
    guarded = await sender.types("endpoints", "test", "hook")
    assert (guarded.exit_code, "add it to network.allow" in guarded.output) == (1, True)
    away = await sender.types("endpoints", "test", "away")
    assert (away.exit_code, "connection refused" in away.output) == (1, True)
    unknown = await sender.types("endpoints", "test", "hok")
    assert (unknown.exit_code, "did you mean hook?" in unknown.output) == (2, True)


async def test_slack_gets_a_message_and_its_refusal_is_shown(world: World, tmp_path: Path) -> None:
    said = ["ok"]

    async def slack(call: Call) -> web.Response:
        return web.Response(status=200 if said[0] == "ok" else 404, text=said[0])

    async with receiving(slack) as receiver:
        address = f"{receiver.url}/services/T0/B0/hunter2hunter2"
        sender = Sender(world, tmp_path, {"name": "room", "slack": {"webhook_url": address}})
        result = await sender.types("endpoints", "test", "room")
        assert result.exit_code == 0, result.output
        assert "hunter2" not in result.output
        assert f"> POST {receiver.url}/***" in result.output
        assert "The Kingsroad" in orjson.loads(receiver.calls[0].body)["text"]
        said[0] = "channel_is_archived"
        result = await sender.types("endpoints", "test", "room")
    assert result.exit_code == 1
    assert "Not accepted: Slack says channel_is_archived." in result.output


async def test_the_request_for_a_token_is_shown_too(world: World, tmp_path: Path) -> None:
    async def both(call: Call) -> web.Response:
        return web.Response(text='{"access_token": "2YotnFZFEjr1zCsicMWpAA"}' if call.path == "/token" else "")

    async with receiving(both) as receiver:
        subscription = hook("hook", f"{receiver.url}/hook")
        subscription["webhook"]["oauth2"] = {
            "token_url": f"{receiver.url}/token",
            "client_id": "us",
            "client_secret": "hunter2hunter2",
            "authentication": "body",
        }
        result = await Sender(world, tmp_path, subscription).types("endpoints", "test", "hook")
    assert result.exit_code == 0, result.output
    assert [line for line in result.output.splitlines() if line.startswith("> POST")] == [
        f"> POST {receiver.url}/token",
        f"> POST {receiver.url}/hook",
    ]
    assert "2YotnFZFEjr1zCsicMWpAA" not in result.output
    assert "hunter2" not in result.output

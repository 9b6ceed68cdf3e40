"""Slack's answers, and a worker that posts to a Slack on loopback which keeps Slack's limits."""

from __future__ import annotations

import itertools
import time
from typing import Any

import orjson
import pytest
from aiohttp import web

from changecast.sandbox.slack_limits import block_problems
from runtime.clock import SystemClock
from runtime.rate import RateLimit
from schemas.config import Network
from schemas.delivery import ErrorClass, Outcome
from schemas.event import Image
from sinks.answer import Meaning
from sinks.client import Reply
from sinks.event import read_event
from sinks.senders import sender_of
from sinks.slack import answer_of
from tests.eventually import until
from tests.sinks.test_client import client_of
from tests.sinks.worlds import Call, World, change_event, config_of, receiving


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, "ok", Meaning.DELIVERED),
        (410, "channel_is_archived", Meaning.GONE),
        (404, "no_service", Meaning.GONE),
        (403, "action_prohibited", Meaning.GONE),
        (410, "", Meaning.GONE),
        (404, "<html>", Meaning.FAILED),
        (400, "invalid_blocks", Meaning.REFUSED),
        (400, "no_text", Meaning.REFUSED),
        (500, "rollup_error", Meaning.FAILED),
        (429, "rate_limited", Meaning.FAILED),
        (302, "", Meaning.FAILED),
    ],
)
def test_answers_of_an_incoming_webhook(status: int, body: str, meaning: Meaning) -> None:
    assert answer_of(Reply(1, status, {}, body.encode()), is_api=False).meaning is meaning


@pytest.mark.parametrize(
    ("status", "document", "meaning"),
    [
        (200, {"ok": True}, Meaning.DELIVERED),
        (200, {"ok": False, "error": "is_archived"}, Meaning.GONE),
        (200, {"ok": False, "error": "invalid_auth"}, Meaning.GONE),
        (200, {"ok": False, "error": "channel_not_found"}, Meaning.GONE),
        (200, {"ok": False, "error": "invalid_blocks"}, Meaning.REFUSED),
        (200, {"ok": False, "error": "internal_error"}, Meaning.FAILED),
        (200, {}, Meaning.FAILED),
        (503, {}, Meaning.FAILED),
        (200, [], Meaning.FAILED),
        (429, {"ok": False, "error": "ratelimited"}, Meaning.FAILED),
        (403, {"ok": False, "error": "org_login_required"}, Meaning.GONE),
    ],
)
def test_answers_of_the_api(status: int, document: Any, meaning: Meaning) -> None:
    assert answer_of(Reply(1, status, {}, orjson.dumps(document)), is_api=True).meaning is meaning


def test_an_api_answer_that_is_no_json_is_a_failure() -> None:
    assert answer_of(Reply(1, 200, {}, b"<html>"), is_api=True).meaning is Meaning.FAILED


def slack(url: str, **fields: Any) -> dict[str, Any]:
    return {"name": "newsroom", "slack": {"webhook_url": f"{url}/services/T1/B1/secret", **fields}}


async def test_a_burst_arrives_as_few_messages_not_faster_than_one_a_second(world: World) -> None:
    async def accept(call: Call) -> web.Response:
        assert block_problems(orjson.loads(call.body)["blocks"]) == []
        return web.Response(text="ok")

    async with receiving(accept) as receiver, world.working(config_of(slack(receiver.url))):
        for wave in range(2):
            await world.publish(*(change_event(number, entity_id=f"{wave}-{number}") for number in range(20)))
            await until(lambda: len(receiver.calls) > wave)  # noqa: B023
        await until(lambda: _delivered(world, 40))
        assert 2 <= len(receiver.calls) <= 8
        times = [call.at for call in receiver.calls]
        assert all(later - earlier >= 0.95 for earlier, later in itertools.pairwise(times))
    attempts = await world.attempts()
    assert {attempt.kind for attempt in attempts} == {"slack"}


async def _delivered(world: World, count: int) -> bool:
    return sum(attempt.outcome is Outcome.DELIVERED for attempt in await world.attempts()) == count


async def test_a_429_is_obeyed_and_the_message_comes_later(world: World) -> None:
    refused = []

    async def busy(call: Call) -> web.Response:
        if not refused:
            refused.append(time.time())
            return web.Response(status=429, text="rate_limited", headers={"Retry-After": "3"})
        return web.Response(text="ok")

    async with receiving(busy) as receiver, world.working(config_of(slack(receiver.url))):
        await world.publish(change_event())
        await until(lambda: len(receiver.calls) == 2)
        assert receiver.calls[1].at - refused[0] >= 2.9


async def test_subscriptions_of_one_channel_share_its_message_a_second(world: World) -> None:
    async def accept(call: Call) -> web.Response:
        return web.Response(text="ok")

    async with receiving(accept) as receiver:
        config = config_of(*({**slack(receiver.url), "name": name} for name in ("one", "two", "three")))
        async with world.working(config):
            await world.publish(change_event())
            await until(lambda: len(receiver.calls) == 3)
    # each for itself, all three would come at once
    assert receiver.calls[2].at - receiver.calls[0].at >= 1.5


async def test_slack_is_reached_through_the_address_guard(world: World) -> None:
    async with receiving() as receiver:
        config = config_of(slack(receiver.url), retry_schedule=[])
        config = config.model_copy(update={"network": Network()})
        async with world.working(config):
            await world.publish(change_event())
            await until(lambda: _dead(world))
    assert receiver.calls == []
    (attempt,) = await world.attempts()
    assert attempt.error_class is ErrorClass.ADDRESS_REFUSED
    assert "secret" not in str(attempt.error)


async def _dead(world: World) -> bool:
    return any(attempt.outcome is Outcome.DEAD for attempt in await world.attempts())


async def test_an_archived_channel_disables_the_endpoint(world: World) -> None:
    async def archived(call: Call) -> web.Response:
        return web.Response(status=410, text="channel_is_archived")

    async with receiving(archived) as receiver, world.working(config_of(slack(receiver.url))):
        await world.publish(change_event())
        await until(lambda: _state_says(world, b"Slack says channel_is_archived"))


async def _state_says(world: World, text: bytes) -> bool:
    return any(text in record.value for record in await world.records(world.cluster.topics.endpoints.name))


async def test_a_picture_that_slack_cannot_load_is_left_out_and_the_blocks_stay(world: World) -> None:
    async def picky(call: Call) -> web.Response:
        blocks = orjson.loads(call.body).get("blocks", [])
        refused = any(block["type"] == "image" for block in blocks)
        return web.Response(status=400, text="invalid_blocks") if refused else web.Response(text="ok")

    still = Image(kind="still", url="https://image.example/1.jpg", path="/1.jpg")
    async with receiving(picky) as receiver, world.working(config_of(slack(receiver.url))):
        await world.publish(change_event(images=[still]))
        await until(lambda: _delivered(world, 1))
        first, second = (orjson.loads(call.body) for call in receiver.calls)
    assert second["blocks"] == [block for block in first["blocks"] if block["type"] != "image"]
    assert len(second["blocks"]) == len(first["blocks"]) - 1


async def test_blocks_that_slack_refuses_are_sent_as_text_with_all_that_they_say(world: World) -> None:
    async def picky(call: Call) -> web.Response:
        if "blocks" in orjson.loads(call.body):
            return web.Response(status=400, text="invalid_blocks")
        return web.Response(text="ok")

    async with receiving(picky) as receiver, world.working(config_of(slack(receiver.url))):
        await world.publish(change_event())
        await until(lambda: _delivered(world, 1))
        sent = orjson.loads(receiver.calls[1].body)
    assert sent["text"].startswith("Game of Thrones S01E02 The Kingsroad\nimage added (en)\nTMDB · ")
    assert sent["mrkdwn"] is False


async def test_each_further_form_of_a_refused_message_counts_for_the_rate() -> None:
    async def refuse(call: Call) -> web.Response:
        return web.Response(status=400, text="invalid_blocks")

    async with receiving(refuse) as receiver, client_of() as client:
        config = config_of(slack(receiver.url))
        rate = RateLimit(100, SystemClock())
        sender = sender_of(config.subscriptions[0], config, client, rate)
        async with rate.request():
            answer = await sender.send([read_event(change_event().to_json())])
    assert answer.meaning is Meaning.REFUSED
    assert rate.spent == len(receiver.calls) > 1


async def test_a_bot_posts_to_its_channel_with_its_token(world: World) -> None:
    async def api(call: Call) -> web.Response:
        return web.json_response({"ok": True})

    async with receiving(api) as receiver:
        bot = {"name": "newsroom", "slack": {"token": "xoxb-1", "channel": "C1", "api_url": f"{receiver.url}/api"}}
        async with world.working(config_of(bot)):
            await world.publish(change_event())
            await until(lambda: receiver.calls)
    (call,) = receiver.calls
    assert (call.path, call.headers["authorization"]) == ("/api/chat.postMessage", "Bearer xoxb-1")
    assert orjson.loads(call.body)["channel"] == "C1"


def bot(url: str) -> dict[str, Any]:
    return {"name": "newsroom", "slack": {"token": "xoxb-hunter2", "channel": "C1", "api_url": f"{url}/api"}}


@pytest.mark.parametrize("word", ["not_in_channel", "token_revoked", "missing_scope"])
async def test_what_only_people_can_mend_disables_a_bots_endpoint_although_the_status_is_200(world: World, word: str) -> None:
    async def refuse(call: Call) -> web.Response:
        return web.json_response({"ok": False, "error": word})

    async with receiving(refuse) as receiver, world.working(config_of(bot(receiver.url))):
        await world.publish(change_event())
        await until(lambda: _state_says(world, f"Slack says {word}".encode()))
        await until(lambda: _ended(world))
    (attempt,) = await world.attempts()
    assert (attempt.outcome, attempt.error_class, attempt.status_code) == (Outcome.DISABLED, ErrorClass.SLACK, 200)
    assert len(receiver.calls) == 1


async def _ended(world: World) -> bool:
    return bool(await world.attempts())


async def test_what_passes_is_tried_again_and_what_slack_cannot_show_goes_as_plain_text_by_bot_too(world: World) -> None:
    async def moody(call: Call) -> web.Response:
        if len(receiver.calls) == 1:
            return web.json_response({"ok": False, "error": "internal_error"})
        if len(receiver.calls) == 2:
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "2"})
        if "blocks" in orjson.loads(call.body):
            return web.json_response({"ok": False, "error": "invalid_blocks"})
        return web.json_response({"ok": True})

    async with receiving(moody) as receiver, world.working(config_of(bot(receiver.url))):
        await world.publish(change_event())
        await until(lambda: _delivered(world, 1))
    assert len(receiver.calls) == 4
    assert receiver.calls[2].at - receiver.calls[1].at >= 1.95
    assert "blocks" not in orjson.loads(receiver.calls[3].body)
    assert [attempt.error for attempt in await world.attempts()] == ["Slack says internal_error", "Slack says ratelimited", None]
    assert all(b"hunter2" not in record.value for record in await world.records(world.cluster.topics.deliveries.name))

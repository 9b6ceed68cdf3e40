from __future__ import annotations

from typing import Any

from changecast.sandbox import SANDBOX_CREDENTIALS, Sandbox

HOOK = "/slack/services/T0SANDBOX/B0NEWSROOM/sandbox"
PICTURE = {"type": "image", "image_url": "https://example.org/a.jpg", "alt_text": "a"}


async def post(client: Any, body: Any, path: str = HOOK) -> Any:
    return await client.ask(path, "POST", json=body)


async def call(client: Any, body: Any, token: str | None = SANDBOX_CREDENTIALS.slack_token) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await client.ask("/slack/api/chat.postMessage", "POST", json=body, headers=headers)


async def test_a_message_is_taken_and_shown(sandbox: Sandbox, client):
    answer = await post(client, {"text": "New still", "blocks": [PICTURE]})
    assert (answer.status, answer.body) == (200, "ok")
    (message,) = sandbox.slack.received
    assert (message.channel, message.title, message.picture) == ("B0NEWSROOM", "New still", PICTURE["image_url"])
    shown = (await client.ask("/slack/received")).body
    assert shown["messages"][0]["message"]["text"] == "New still"


async def test_what_slack_refuses_is_refused_in_slack_s_words(sandbox: Sandbox, client):
    for body, error in (
        ({}, "no_text"),
        ({"text": "t" * 40_001}, "msg_too_long"),
        ({"blocks": [{"type": "header"}]}, "invalid_blocks"),
        (["no object"], "invalid_payload"),
    ):
        answer = await post(client, body)
        assert (answer.status, answer.body) == (400, error)
    assert len(sandbox.slack.received) == 0
    assert sandbox.slack.counts["invalid_blocks"] == 1


async def test_an_unknown_address_and_an_archived_channel_say_so(sandbox: Sandbox, client):
    sandbox.slack.removed.add("B0GONE")
    for path in ("/slack/services/T0/B0GONE/x", "/slack/services/nonsense"):
        answer = await post(client, {"text": "a"}, path)
        assert (answer.status, answer.body) == (404, "no_service")
    sandbox.slack.archived.add("B0OLD")
    answer = await post(client, {"text": "a"}, "/slack/services/T0/B0OLD/x")
    assert (answer.status, answer.body) == (410, "channel_is_archived")


async def test_a_channel_gets_one_message_a_second_beyond_a_short_burst(sandbox: Sandbox, client, clock):
    sandbox.limits.slack_burst = 2
    answers = [(await post(client, {"text": "a"})).status for _ in range(3)]
    assert answers == [200, 200, 429]
    refused = await post(client, {"text": "a"})
    assert (refused.body, refused.headers["Retry-After"]) == ("rate_limited", "1")
    other = await post(client, {"text": "a"}, "/slack/services/T0/B0OTHER/x")
    assert other.status == 200
    clock.now += 1
    assert (await post(client, {"text": "a"})).status == 200
    assert (await post(client, {"text": "a"})).status == 429


async def test_chat_post_message_answers_200_with_ok_true_or_false(sandbox: Sandbox, client):
    good = await call(client, {"channel": "C1", "text": "a"})
    assert good.status == 200
    assert good.body["ok"] is True
    assert good.body["channel"] == "C1"
    assert good.body["ts"]
    sandbox.slack.archived.add("C2")
    for body, token, error in (
        ({"channel": "C1", "text": "a"}, None, "not_authed"),
        ({"channel": "C1", "text": "a"}, "xoxb-wrong", "invalid_auth"),
        ({"text": "a"}, SANDBOX_CREDENTIALS.slack_token, "channel_not_found"),
        ({"channel": "C2", "text": "a"}, SANDBOX_CREDENTIALS.slack_token, "is_archived"),
        ({"channel": "C1"}, SANDBOX_CREDENTIALS.slack_token, "no_text"),
    ):
        answer = await call(client, body, token)
        assert (answer.status, answer.body) == (200, {"ok": False, "error": error})
    bad = await call(client, {"channel": "C1", "blocks": [{"type": "header"}]})
    assert bad.body["error"] == "invalid_blocks"
    assert bad.body["response_metadata"]["messages"]


async def test_chat_post_message_is_limited_too(sandbox: Sandbox, client):
    sandbox.limits.slack_burst = 1
    await call(client, {"channel": "C1", "text": "a"})
    answer = await call(client, {"channel": "C1", "text": "a"})
    assert (answer.status, answer.body["error"], answer.headers["Retry-After"]) == (429, "ratelimited", "1")


async def test_a_form_is_taken_as_slack_takes_it(sandbox: Sandbox, client):
    answer = await client.ask(HOOK, "POST", data={"payload": '{"text": "by form"}'})
    assert answer.body == "ok"
    assert sandbox.slack.received[0].title == "by form"

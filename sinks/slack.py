"""Slack: a message by incoming webhook, or by bot token to a channel. What Slack answers, each to its consequence."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal

import orjson

from schemas import redaction
from schemas.config import Subscription
from schemas.delivery import ErrorClass
from sinks.answer import Answer, Meaning
from sinks.client import Poster, Rate, Reply, plain_answer
from sinks.event import Alert, Event
from sinks.slack_alerts import alert_message
from sinks.slack_blocks import Message, digest_of, message_of
from sinks.webhook import user_agent

_CALM = 3
"""So many messages that wait go out one by one; more of them are a burst, and go as one digest."""
_DIGEST_MOST = 200

ENDED = frozenset(
    {
        *("channel_is_archived", "is_archived", "channel_not_found", "no_service", "no_service_id", "no_team", "team_disabled"),
        *(
            "account_inactive",
            "invalid_auth",
            "not_authed",
            "token_revoked",
            "token_expired",
            "invalid_token",
            "org_login_required",
        ),
        *("action_prohibited", "posting_to_general_channel_denied", "not_in_channel", "missing_scope", "no_permission"),
        *("access_denied", "ekm_access_denied", "restricted_action", "team_access_not_granted", "user_not_found"),
    }
)
"""Nothing will be posted here until somebody acts: in Slack, or in the config. Slack's documents list these for incoming webhooks and
chat.postMessage."""
_BAD_MESSAGE = frozenset(
    {
        *("invalid_blocks", "invalid_blocks_format", "invalid_payload", "invalid_attachments", "no_text", "msg_too_long"),
        *("msg_blocks_too_long", "too_many_attachments", "invalid_arguments", "invalid_json"),
    }
)
"""This message can't be posted, however often it is tried; as plain text it can."""
_MOST_SAID = 100
"""Bytes of Slack's word for what is wrong; those that it documents have half of that."""


class SlackSender:
    """`rate`: of the endpoint. Who sends has leave for one request of it; a message that is refused asks for each further one."""

    kind: Literal["slack"] = "slack"

    def __init__(self, subscription: Subscription, client: Poster, rate: Rate | None = None) -> None:
        slack = subscription.slack
        assert slack is not None
        self._client = client
        self._rate = rate
        self._headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": user_agent(),
            "accept-encoding": "identity",
        }
        self._channel: str | None = None
        if slack.webhook_url is not None:
            self._url = slack.webhook_url.get_secret_value()
        else:
            assert slack.token is not None
            self._url = f"{slack.api_url.rstrip('/')}/chat.postMessage"
            self._headers["authorization"] = f"Bearer {slack.token.get_secret_value()}"
            self._channel = slack.channel

    def batch(self, waiting: int) -> int:
        return 1 if waiting <= _CALM else min(waiting, _DIGEST_MOST)

    async def send(self, events: Sequence[Event]) -> Answer:
        message = _message(events)
        answer = await self._post(message)
        # one picture that Slack can't load makes it refuse all blocks: the rest of the message matters more
        for less in (message.without_picture(), message.without_blocks()):
            if answer.meaning is Meaning.REFUSED and less != message:
                async with nullcontext() if self._rate is None else self._rate.request():
                    answer = await self._post(less)
        return answer

    async def _post(self, message: Message) -> Answer:
        # `mrkdwn` off: what stands in `text` is a title's own asterisks and backticks
        payload: dict[str, Any] = {"text": message.text, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
        if message.blocks:
            payload["blocks"] = message.blocks
        if self._channel is not None:
            payload["channel"] = self._channel
        reply = await self._client.post(self._url, orjson.dumps(payload), self._headers)
        return answer_of(reply, is_api=self._channel is not None)


def _message(events: Sequence[Event]) -> Message:
    if len(events) > 1:
        return digest_of(events)
    (event,) = events
    return alert_message(event) if isinstance(event, Alert) else message_of(event)


def answer_of(reply: Reply, *, is_api: bool) -> Answer:
    """An incoming webhook answers `ok` or an error's name in plain text; the API answers JSON, also for errors with status 200."""
    answer = plain_answer(reply)
    word = _error_word(reply, is_api)
    if word is None:
        return answer
    if word in ENDED and not reply.is_malformed:
        meaning = Meaning.GONE
    elif word in _BAD_MESSAGE:
        meaning = Meaning.REFUSED
    elif answer.meaning is Meaning.GONE:
        meaning = Meaning.GONE
    else:
        meaning = Meaning.FAILED
    said = redaction.excerpt(word, _MOST_SAID)
    return answer._replace(meaning=meaning, error=f"Slack says {said}", error_class=ErrorClass.SLACK)


def _error_word(reply: Reply, is_api: bool) -> str | None:
    if reply.status is None:
        return None
    if is_api:
        return _api_error(reply)
    if 200 <= reply.status < 300:
        return None
    words = reply.body[:100].decode("utf-8", "replace").strip()
    return words if words.replace("_", "").isalpha() and words.islower() else None


def _api_error(reply: Reply) -> str | None:
    """With status 200 the document decides; with another it may name the reason, or there is none (a proxy's page)."""
    try:
        document = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        document = None
    if reply.status == 200:
        if not isinstance(document, dict):
            return "something that is not JSON"
        return None if document.get("ok") is True else str(document.get("error", "no reason"))
    return str(document["error"]) if isinstance(document, dict) and document.get("error") else None

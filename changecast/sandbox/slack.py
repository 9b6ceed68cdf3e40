"""A Slack that takes messages by incoming webhook and by chat.postMessage, and refuses what Slack refuses.

Documented at docs.slack.dev: "Sending messages using incoming webhooks", "chat.postMessage", "Rate limits".
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from changecast.sandbox.activity import Activity
from changecast.sandbox.api import ApiContext, json_response
from changecast.sandbox.rates import TokenBucket
from changecast.sandbox.slack_limits import block_problems, text_problem

MESSAGES_KEPT = 2000

_WEBHOOK_STATUS = {
    "invalid_payload": 400,
    "no_text": 400,
    "msg_too_long": 400,
    "invalid_blocks": 400,
    "no_service": 404,
    "channel_is_archived": 410,
}


@dataclass(frozen=True)
class SlackMessage:
    """A message that a channel has. `channel`: for an incoming webhook the part of its address that begins with B."""

    time: float
    channel: str
    message: dict[str, Any]

    @property
    def picture(self) -> str | None:
        for block in self.message.get("blocks") or []:
            image = block if block.get("type") == "image" else block.get("accessory") or {}
            if image.get("image_url"):
                return str(image["image_url"])
        return None

    @property
    def title(self) -> str:
        """The first words to show of it: its header, else its text."""
        for block in self.message.get("blocks") or []:
            if block.get("type") == "header":
                return str(block["text"]["text"])
        return str(self.message.get("text") or "").split("\n")[0][:150]

    def as_json(self) -> dict[str, Any]:
        return {"time": self.time, "channel": self.channel, "message": self.message}


class SlackWorkspace:
    """`archived` channels answer as such, `removed` ones as if they had never been; both may be changed at any time."""

    def __init__(self, context: ApiContext, on_activity: Callable[[Activity], None]) -> None:
        self._context = context
        self._on_activity = on_activity
        self._buckets: dict[str, TokenBucket] = {}
        self.archived: set[str] = set()
        self.removed: set[str] = set()
        self.received: deque[SlackMessage] = deque(maxlen=MESSAGES_KEPT)
        self.counts: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/slack/received", self._show),
            web.post("/slack/services/{team:T[^/]*}/{channel:B[^/]*}/{token}", self._incoming),
            web.post("/slack/services/{rest:.*}", self._no_service),
            web.post("/slack/api/chat.postMessage", self._post_message),
        ]

    async def _incoming(self, request: web.Request) -> web.Response:
        """Answers in plain words: `ok`, or the name of the error."""
        channel = request.match_info["channel"]
        message = _as_object(await _payload(request))
        if channel in self.removed:
            error: str | None = "no_service"
        elif channel in self.archived:
            error = "channel_is_archived"
        else:
            error = "invalid_payload" if message is None else _problem(message)[0]
        wait = self._wait(channel) if error is None else 0
        if wait:
            self._refused(channel, "rate_limited")
            return web.Response(status=429, text="rate_limited", headers={"Retry-After": str(wait)})
        if error is not None or message is None:
            self._refused(channel, error or "invalid_payload")
            return web.Response(status=_WEBHOOK_STATUS[error or "invalid_payload"], text=error)
        self._take(channel, message)
        return web.Response(text="ok")

    async def _no_service(self, _request: web.Request) -> web.Response:
        return web.Response(status=404, text="no_service")

    async def _post_message(self, request: web.Request) -> web.Response:
        """Answers 200 with `ok` true or false, but for 429."""
        authorization = request.headers.get("Authorization", "")
        if authorization != f"Bearer {self._context.credentials.slack_token}":
            return json_response({"ok": False, "error": "invalid_auth" if authorization else "not_authed"})
        message = _as_object(await _payload(request)) or {}
        channel = str(message.get("channel") or "")
        error = self._channel_problem(channel)
        problems: list[str] = []
        if error is None:
            error, problems = _problem(message)
        if error is not None:
            return self._not_ok(channel, error, problems)
        wait = self._wait(channel)
        if wait:
            self._refused(channel, "ratelimited")
            return json_response({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(wait)})
        taken = self._take(channel, message)
        sent = {"type": "message", **message}
        return json_response({"ok": True, "channel": channel, "ts": f"{taken.time:.6f}", "message": sent})

    def _channel_problem(self, channel: str) -> str | None:
        if not channel or channel in self.removed:
            return "channel_not_found"
        return "is_archived" if channel in self.archived else None

    def _not_ok(self, channel: str, error: str, problems: list[str]) -> web.Response:
        self._refused(channel, error)
        answer: dict[str, Any] = {"ok": False, "error": error}
        if problems:
            answer |= {"errors": problems, "response_metadata": {"messages": problems}}
        return json_response(answer)

    def _wait(self, channel: str) -> int:
        """Seconds that the channel's rate bids to wait; 0: none."""
        limits = self._context.limits
        bucket = self._buckets.setdefault(channel, TokenBucket())
        return bucket.take(self._context.monotonic(), limits.slack_per_second, limits.slack_burst)

    def _take(self, channel: str, message: dict[str, Any]) -> SlackMessage:
        taken = SlackMessage(self._context.clock(), channel, message)
        self.received.append(taken)
        self.counts["ok"] += 1
        self._on_activity(Activity("slack", taken.time, channel, taken.title))
        return taken

    def _refused(self, channel: str, error: str) -> None:
        self.counts[error] += 1
        self._on_activity(Activity("slack", self._context.clock(), channel or "slack", f"refused: {error}"))

    async def _show(self, _request: web.Request) -> web.Response:
        return json_response(self.as_json())

    def as_json(self) -> dict[str, Any]:
        return {"counts": dict(self.counts), "messages": [message.as_json() for message in self.received]}


async def _payload(request: web.Request) -> bytes:
    """The JSON of a request: its body, or the field `payload` of a form, or a form's fields as one object."""
    if request.content_type != "application/x-www-form-urlencoded":
        return await request.read()
    form = await request.post()
    if "payload" in form:
        return str(form["payload"]).encode()
    fields: dict[str, Any] = {key: str(value) for key, value in form.items()}
    if "blocks" in fields:
        blocks = _as_json(fields["blocks"].encode())
        fields["blocks"] = "" if blocks is None else blocks
    return orjson.dumps(fields)


def _as_json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _as_object(content: bytes) -> dict[str, Any] | None:
    document = _as_json(content)
    return document if isinstance(document, dict) else None


def _problem(message: dict[str, Any]) -> tuple[str | None, list[str]]:
    """Slack's error for this message, and what is wrong with its blocks; (None, []) when it is good."""
    error = text_problem(message)
    if error is not None:
        return error, []
    problems = block_problems(message["blocks"]) if message.get("blocks") is not None else []
    return ("invalid_blocks", problems) if problems else (None, [])

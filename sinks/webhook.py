"""Webhooks: the event's exact bytes, signed by Standard Webhooks. An event that is too large goes as its thin form, and says so."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from schemas.config import Subscription, Webhook
from schemas.event import CONTENT_TYPE
from sinks import signing
from sinks.answer import Answer
from sinks.client import Client, plain_answer
from sinks.event import Event
from sinks.thin import thin


def user_agent() -> str:
    try:
        return f"changecast/{version('changecast')}"
    except PackageNotFoundError:
        return "changecast"


class WebhookSender:
    """One subscription's webhook. Raises signing.BadSecret when a secret of the config can't sign."""

    kind: Literal["webhook"] = "webhook"

    def __init__(self, subscription: Subscription, client: Client, max_body_bytes: int) -> None:
        webhook = subscription.webhook
        assert webhook is not None
        self._subscription = subscription.name
        self._url = webhook.url
        self._client = client
        self._signers = [signing.signer(secret.get_secret_value()) for secret in webhook.secret]
        self._headers = _fixed_headers(webhook)
        self._max_body = max_body_bytes

    def batch(self, waiting: int) -> int:  # noqa: ARG002
        return 1

    async def send(self, events: Sequence[Event]) -> Answer:
        (event,) = events
        message_id = signing.webhook_id(event.id, self._subscription)
        body = event.value
        if len(body) > self._max_body:
            body = thin(event.document, f"the event has {len(body)} bytes, more than the {self._max_body} that are sent")
        signed = signing.headers(self._signers, message_id, int(time.time()), body)
        return plain_answer(await self._client.post(self._url, body, self._headers | signed))


def _fixed_headers(webhook: Webhook) -> dict[str, str]:
    """The operator's headers never replace those that the signature and the receiver's parsing stand on."""
    own = {name: value.get_secret_value() for name, value in webhook.headers.items()}
    ours = {"content-type": CONTENT_TYPE, "accept-encoding": "identity"}
    reserved = {*ours, "webhook-id", "webhook-timestamp", "webhook-signature", "content-length", "host"}
    kept = {name: value for name, value in own.items() if name.lower() not in reserved}
    if not any(name.lower() == "user-agent" for name in kept):
        ours["user-agent"] = user_agent()
    return {**ours, **kept}

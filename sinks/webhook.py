"""Webhooks: a body by the webhook's format, signed by Standard Webhooks. One that is too large goes as its thin form, and says so."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from schemas.config import Subscription, Webhook
from schemas.delivery import ErrorClass
from schemas.event import CONTENT_TYPE
from sinks import signing
from sinks.answer import Answer, Meaning
from sinks.bodies import CloudEventInstead, NoBody, body_of, content_type_of
from sinks.client import Poster, plain_answer
from sinks.event import Event


def user_agent() -> str:
    try:
        return f"changecast/{version('changecast')}"
    except PackageNotFoundError:
        return "changecast"


class WebhookSender:
    """One subscription's webhook. Raises signing.BadSecret when a secret of the config can't sign."""

    kind: Literal["webhook"] = "webhook"

    def __init__(self, subscription: Subscription, client: Poster, max_body_bytes: int) -> None:
        webhook = subscription.webhook
        assert webhook is not None
        self._subscription = subscription.name
        self._url = webhook.url
        self._client = client
        self._signings = _signings(webhook)
        self._headers = _fixed_headers(webhook)
        self._body = body_of(webhook, max_body_bytes)
        is_template = webhook.format == "template"
        self._cloudevent_headers = {**self._headers, "content-type": CONTENT_TYPE} if is_template else self._headers

    def batch(self, waiting: int) -> int:  # noqa: ARG002
        return 1

    async def send(self, events: Sequence[Event]) -> Answer:
        (event,) = events
        message_id = signing.webhook_id(event.id, self._subscription)
        headers = self._headers
        try:
            body = self._body(event)
        except CloudEventInstead as instead:
            body, headers = instead.body, self._cloudevent_headers
        except NoBody as reason:
            return Answer(Meaning.REFUSED, 0.0, error=str(reason), error_class=ErrorClass.BODY)
        signed = signing.headers(self._signings, message_id, int(time.time()), body)
        return plain_answer(await self._client.post(self._url, body, headers | signed))


def _signings(webhook: Webhook) -> list[signing.Signing]:
    """The secrets of today first: a receiver that knows both finds its match at once."""
    current = [signing.Signing(signing.signer(secret.get_secret_value())) for secret in webhook.secret]
    previous = [
        signing.Signing(signing.signer(one.secret.get_secret_value()), one.until.timestamp()) for one in webhook.previous_secrets
    ]
    return current + previous


def _fixed_headers(webhook: Webhook) -> dict[str, str]:
    """The operator's headers beside ours, and before them. Those that are not the operator's to set the config refuses."""
    own = {name: value.get_secret_value() for name, value in webhook.headers.items() if name.lower() != "content-type"}
    ours = {"content-type": content_type_of(webhook), "accept-encoding": "identity"}
    if "user-agent" not in map(str.lower, own):
        ours["user-agent"] = user_agent()
    return {**ours, **own}

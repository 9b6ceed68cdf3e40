"""A receiver of webhooks that verifies what it gets with the stock library of Standard Webhooks."""

from __future__ import annotations

import binascii
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from changecast.sandbox.activity import Activity
from changecast.sandbox.api import json_response

RECEIPTS_KEPT = 2000
IDS_KEPT = 100_000
"""Ids remembered for counting duplicates: more than any test or bench sends."""


@dataclass(frozen=True)
class Receipt:
    """One request that came in. `times`: how often this webhook-id has come by now; `refused`: why it was not taken."""

    time: float
    endpoint: str
    webhook_id: str
    verified: bool
    refused: str | None
    times: int
    body: bytes
    event: dict[str, Any]

    @property
    def picture(self) -> str | None:
        """The address of the event's first picture."""
        data = self.event.get("data")
        images = data.get("images") if isinstance(data, dict) else None
        if isinstance(images, list) and images and isinstance(images[0], dict):
            return str(images[0].get("thumbnail_url") or images[0].get("url") or "") or None
        return None

    @property
    def entity_name(self) -> str:
        data = self.event.get("data")
        entity = data.get("entity") if isinstance(data, dict) else None
        return str(entity.get("name") or "") if isinstance(entity, dict) else ""

    def as_json(self) -> dict[str, Any]:
        return {
            "webhook_id": self.webhook_id,
            "event_id": self.event.get("id"),
            "type": self.event.get("type"),
            "subject": self.event.get("subject"),
            "name": self.entity_name,
            "endpoint": self.endpoint,
            "verified": self.verified,
            "refused": self.refused,
            "time": self.time,
            "duplicates": max(0, self.times - 1),
        }


class WebhookReceiver:
    """Takes `POST /webhook` and `POST /webhook/<name>`: 204, or 400 when the signature is missing or wrong.

    `secrets`: any of them may have signed. `received`: the latest receipts, oldest first. Ids are told apart by endpoint:
    each endpoint gets its own.
    """

    def __init__(self, secret: str, *, clock: Callable[[], float], on_activity: Callable[[Activity], None]) -> None:
        self.secrets = [secret]
        self._clock = clock
        self._on_activity = on_activity
        self._times: OrderedDict[tuple[str, str], int] = OrderedDict()
        self.received: deque[Receipt] = deque(maxlen=RECEIPTS_KEPT)
        self.counts: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/webhook/received", self._show),
            web.post("/webhook", self._take),
            web.post("/webhook/{name}", self._take),
        ]

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        refused = self._problem(body, request)
        receipt = self._receipt(request, body, refused)
        self.received.append(receipt)
        self.counts["received"] += 1
        self.counts["verified" if receipt.verified else "bad_signature"] += 1
        self.counts["duplicates"] += 1 if receipt.times > 1 else 0
        self._on_activity(Activity("webhook", receipt.time, receipt.endpoint, _line(receipt)))
        if refused is not None:
            return json_response({"error": f"bad signature: {refused}"}, 400)
        return web.Response(status=204)

    def _problem(self, body: bytes, request: web.Request) -> str | None:
        """Why the signature is not accepted; None when it is."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        problem = "no secret"
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body, headers, json_parse=False)
            except (WebhookVerificationError, UnicodeDecodeError, binascii.Error, ValueError) as error:
                problem = str(error)
            else:
                return None
        return problem

    def _receipt(self, request: web.Request, body: bytes, refused: str | None) -> Receipt:
        webhook_id = request.headers.get("webhook-id", "")
        endpoint = request.path
        times = 0
        if refused is None:
            times = self._times.get((endpoint, webhook_id), 0) + 1
            self._times[endpoint, webhook_id] = times
            if len(self._times) > IDS_KEPT:
                self._times.popitem(last=False)
        try:
            event = orjson.loads(body)
        except orjson.JSONDecodeError:
            event = {}
        return Receipt(
            time=self._clock(),
            endpoint=endpoint,
            webhook_id=webhook_id,
            verified=refused is None,
            refused=refused,
            times=times,
            body=body,
            event=event if isinstance(event, dict) else {},
        )

    async def _show(self, _request: web.Request) -> web.Response:
        return json_response(self.as_json())

    def as_json(self) -> dict[str, Any]:
        return {
            **{name: self.counts[name] for name in ("received", "verified", "bad_signature", "duplicates")},
            "receipts": [receipt.as_json() for receipt in self.received],
        }


def _line(receipt: Receipt) -> str:
    if not receipt.verified:
        return f"refused: {receipt.refused}"
    again = f", for the {receipt.times}. time" if receipt.times > 1 else ""
    subject = receipt.entity_name or receipt.event.get("subject") or receipt.webhook_id
    return f"{subject}: {receipt.event.get('type', 'no type')} (verified{again})"

"""What a webhook's body is, by its format: the event's exact bytes, its thin form, or what the operator's template makes of it.

Alerts are small, and go whole. A template may make something of them too (`event.type` tells them); where it does not, they go whole.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from schemas.config import Webhook
from schemas.config.templates import TemplateError, TooLong, compile_template
from schemas.event import CONTENT_TYPE
from sinks.event import Alert, Event
from sinks.thin import thin

_TEMPLATE_TYPE = "application/json"
_ASKED = "the subscription asks for thin events"

Body = Callable[[Event], bytes]
"""The body, as it is signed and sent."""


class NoBody(Exception):
    """There is no body for this event, however often it is tried. The message says why."""


class CloudEventInstead(Exception):
    """The body has more bytes than are sent, and its thin form goes; or it is an alert that the template makes nothing of. What goes
    instead is a CloudEvent, whatever the format."""

    def __init__(self, body: bytes) -> None:
        super().__init__(f"{len(body)} bytes, as a CloudEvent")
        self.body = body


def content_type_of(webhook: Webhook) -> str:
    return webhook.own_content_type or (_TEMPLATE_TYPE if webhook.format == "template" else CONTENT_TYPE)


def body_of(webhook: Webhook, limit: int) -> Body:
    """How this webhook's bodies are made. What it returns raises NoBody, and CloudEventInstead beyond `limit` bytes."""
    match webhook.format:
        case "thin":
            return lambda event: event.value if isinstance(event, Alert) else thin(event.document, _ASKED)
        case "template":
            return _templated(webhook, limit)
        case _:
            return lambda event: _whole(event, limit)


def _whole(event: Event, limit: int) -> bytes:
    if len(event.value) > limit and not isinstance(event, Alert):
        raise CloudEventInstead(
            thin(event.document, f"the event has {len(event.value)} bytes, more than the {limit} that are sent")
        )
    return event.value


def _templated(webhook: Webhook, limit: int) -> Body:
    assert webhook.template is not None
    template = compile_template(webhook.template)
    is_json = content_type_of(webhook).partition(";")[0].strip().endswith("json")

    def rendered(event: Event) -> bytes:
        try:
            made = template.render(event.document, limit)
        except TemplateError as error:
            raise NoBody(str(error)) from None
        if is_json:
            try:
                orjson.loads(made)
            except orjson.JSONDecodeError as error:
                raise NoBody(f"what the template makes is not JSON: {error} (`| tojson` quotes a value)") from None
        return made

    def body(event: Event) -> bytes:
        try:
            return rendered(event)
        except TooLong:
            words = f"the template makes more than the {limit} bytes that are sent"
            raise CloudEventInstead(event.value if isinstance(event, Alert) else thin(event.document, words)) from None
        except NoBody:
            if isinstance(event, Alert):
                raise CloudEventInstead(event.value) from None
            raise

    return body

"""What a webhook's body is, by its format: the event's exact bytes, its thin form, or what the operator's template makes of it."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from schemas.config import Webhook
from schemas.config.templates import TemplateError, TooLong, compile_template
from schemas.event import CONTENT_TYPE
from sinks.event import Event
from sinks.thin import thin

_TEMPLATE_TYPE = "application/json"
_ASKED = "the subscription asks for thin events"

Body = Callable[[Event], bytes]
"""The body, as it is signed and sent."""


class NoBody(Exception):
    """There is no body for this event, however often it is tried. The message says why."""


class TooLarge(Exception):
    """The body has more bytes than are sent. Its thin form goes instead, which is a CloudEvent whatever the template makes."""

    def __init__(self, body: bytes) -> None:
        super().__init__(f"{len(body)} bytes, in its thin form")
        self.body = body


def content_type_of(webhook: Webhook) -> str:
    return webhook.content_type or (_TEMPLATE_TYPE if webhook.format == "template" else CONTENT_TYPE)


def body_of(webhook: Webhook, limit: int) -> Body:
    """How this webhook's bodies are made. What it returns raises NoBody, and TooLarge beyond `limit` bytes."""
    match webhook.format:
        case "thin":
            return lambda event: thin(event.document, _ASKED)
        case "template":
            return _templated(webhook, limit)
        case _:
            return lambda event: _whole(event, limit)


def _whole(event: Event, limit: int) -> bytes:
    if len(event.value) > limit:
        raise TooLarge(thin(event.document, f"the event has {len(event.value)} bytes, more than the {limit} that are sent"))
    return event.value


def _templated(webhook: Webhook, limit: int) -> Body:
    assert webhook.template is not None
    template = compile_template(webhook.template)
    is_json = content_type_of(webhook).partition(";")[0].strip().endswith("json")

    def body(event: Event) -> bytes:
        try:
            made = template.render(event.document, limit)
        except TooLong:
            raise TooLarge(thin(event.document, f"the template makes more than the {limit} bytes that are sent")) from None
        except TemplateError as error:
            raise NoBody(str(error)) from None
        if is_json:
            try:
                orjson.loads(made)
            except orjson.JSONDecodeError as error:
                raise NoBody(f"what the template makes is not JSON: {error} (`| tojson` quotes a value)") from None
        return made

    return body

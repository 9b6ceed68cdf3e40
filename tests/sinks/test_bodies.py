"""Formats of webhook bodies, as a receiver gets them: signed, whatever they are."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from standardwebhooks import Webhook as Verifier

from schemas.config import Delivery, Webhook
from schemas.delivery import Outcome
from schemas.event import CONTENT_TYPE, Change
from sinks.bodies import CloudEventInstead, body_of
from sinks.event import Event, read_event
from tests.eventually import until
from tests.sinks.worlds import SECRET, World, change_event, config_of, receiving, webhook


async def test_each_format_is_signed_as_it_is_sent(world: World) -> None:
    async with receiving() as receiver:
        config = config_of(
            webhook("whole", f"{receiver.url}/whole"),
            webhook("thin", f"{receiver.url}/thin", format="thin", content_type="application/json"),
            webhook("own", f"{receiver.url}/own", format="template", template='{"text": {{ event.data.entity.name | tojson }}}'),
            webhook(
                "words", f"{receiver.url}/words", format="template", template="{{ event.subject }}", content_type="text/plain"
            ),
        )
        event = change_event(name='The "Kingsroad"', changes=[Change(key="images", action="added", after={"path": "/a.jpg"})])
        async with world.working(config):
            await world.publish(event)
            await until(lambda: len(receiver.calls) >= 4)
    calls = {call.path: call for call in receiver.calls}
    for path in ("/whole", "/thin", "/own"):
        Verifier(SECRET).verify(calls[path].body, calls[path].headers)
    words = calls["/words"]
    signed_at = datetime.fromtimestamp(int(words.headers["webhook-timestamp"]), UTC)
    assert words.headers["webhook-signature"] == Verifier(SECRET).sign(words.id, signed_at, words.body.decode())
    assert calls["/whole"].body == event.to_json()
    assert calls["/whole"].headers["content-type"] == CONTENT_TYPE
    slim = orjson.loads(calls["/thin"].body)
    assert calls["/thin"].headers["content-type"] == "application/json"
    assert slim["data"]["changes"] == [{"key": "images", "action": "added", "language": None, "country": None, "native_id": None}]
    assert slim["id"] == event.id
    assert orjson.loads(calls["/own"].body) == {"text": 'The "Kingsroad"'}
    assert calls["/own"].headers["content-type"] == "application/json"
    assert (words.body, words.headers["content-type"]) == (b"tmdb:episode:63057", "text/plain")


def test_256_kib_are_sent_and_a_byte_more_goes_as_its_thin_form_which_says_so() -> None:
    limit = 256 * 1024
    assert Delivery().max_body_bytes == limit
    body = body_of(Webhook.model_validate({"url": "https://x.example/", "secret": SECRET}), limit)
    base = change_event(changes=[Change(key="overview", action="updated", after="")])
    room = limit - len(base.to_json())

    def of(size: int) -> Event:
        change = Change(key="overview", action="updated", after="x" * size)
        event = base.model_copy(update={"data": base.data.model_copy(update={"changes": [change]})})
        return read_event(event.to_json())

    assert body(of(room)) == of(room).value
    assert len(of(room).value) == limit
    with pytest.raises(CloudEventInstead) as caught:
        body(of(room + 1))
    slim = orjson.loads(caught.value.body)
    assert slim["dataschema"] == "urn:changecast:schema:thin:1"
    assert slim["data"]["thin"] == "the event has 262145 bytes, more than the 262144 that are sent"
    assert (slim["id"], slim["subject"]) == (base.id, base.subject)
    assert slim["data"]["changes"] == [
        {"key": "overview", "action": "updated", "language": None, "country": None, "native_id": None}
    ]


async def test_a_template_that_makes_too_much_goes_as_the_thin_cloudevent(world: World) -> None:
    template = "{% for i in range(1000) %}0123456789{% endfor %}"
    async with receiving() as receiver:
        config = config_of(
            webhook("hook", receiver.url, format="template", template=template, content_type="text/plain"), max_body_bytes=2000
        )
        async with world.working(config):
            await world.publish(change_event())
            await until(lambda: receiver.calls)
    (call,) = receiver.calls
    assert call.headers["content-type"] == CONTENT_TYPE
    assert "more than the 2000 bytes" in orjson.loads(call.body)["data"]["thin"]


@pytest.mark.parametrize(
    ("template", "error"),
    [("{{ event.data.entity.title }}", "has no attribute 'title'"), ('{"name": {{ event.data.entity.name }}}', "is not JSON")],
)
async def test_a_template_that_fails_on_an_event_kills_the_delivery_and_says_why(world: World, template: str, error: str) -> None:
    async def dead() -> bool:
        return any(attempt.outcome is Outcome.DEAD for attempt in await world.attempts())

    async with (
        receiving() as receiver,
        world.working(config_of(webhook("hook", receiver.url, format="template", template=template))),
    ):
        await world.publish(change_event())
        await until(dead)
    assert not receiver.calls
    (attempt,) = await world.attempts()
    assert error in (attempt.error or "")

"""What a receiver sees of a webhook beside its body: secrets that are replaced, credentials, and headers of the operator's."""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from tests.eventually import until
from tests.sinks.worlds import SECRET, Call, World, change_event, config_of, receiving, webhook

OLD = "whsec_" + base64.b64encode(b"the secret before this one, 32 b").decode()


def accepted(call: Call, secret: str) -> bool:
    try:
        Verifier(secret).verify(call.body, call.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_a_replaced_secret_signs_along_until_its_time_is_over_and_then_no_longer_without_a_restart(world: World) -> None:
    over = datetime.now(UTC) + timedelta(seconds=6)
    previous = {"secret": OLD, "until": over.isoformat()}
    async with receiving() as receiver, world.working(config_of(webhook("hook", receiver.url, previous_secrets=previous))):
        numbers = itertools.count()

        async def another_is_signed_alone() -> bool:
            before = len(receiver.calls)
            await world.publish(change_event(next(numbers)))
            await until(lambda: len(receiver.calls) > before)
            return len(receiver.calls[-1].headers["webhook-signature"].split()) == 1

        await until(another_is_signed_alone)
    assert all(accepted(call, SECRET) for call in receiver.calls)
    for call in receiver.calls:
        assert accepted(call, OLD) == (int(call.headers["webhook-timestamp"]) < over.timestamp())
    assert accepted(receiver.calls[0], OLD)


async def test_credentials_and_headers_of_the_operators_are_sent(world: World) -> None:
    basic = "Basic " + base64.b64encode(b"user:pass").decode()
    async with receiving() as receiver:
        config = config_of(
            webhook("basic", f"{receiver.url}/basic", headers={"Authorization": basic}),
            webhook("bearer", f"{receiver.url}/bearer", headers={"authorization": "Bearer abc.def"}),
            webhook("custom", f"{receiver.url}/custom", headers={"X-Source": "changecast", "User-Agent": "ours/2"}),
            webhook("own", f"{receiver.url}/own", headers={"CONTENT-TYPE": "application/vnd.ours+json"}),
            webhook("url", f"{receiver.url.replace('://', '://me:p%40ss@')}/url"),
            webhook("typed", f"{receiver.url}/typed", content_type="application/json; charset=utf-8"),
        )
        async with world.working(config):
            await world.publish(change_event())
            await until(lambda: len(receiver.calls) == 6)
    calls = {call.path: call for call in receiver.calls}
    assert calls["/basic"].headers["authorization"] == basic
    assert calls["/bearer"].headers["authorization"] == "Bearer abc.def"
    assert calls["/url"].headers["authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    custom = calls["/custom"].headers
    assert (custom["x-source"], custom["user-agent"]) == ("changecast", "ours/2")
    assert custom["content-type"] == calls["/basic"].headers["content-type"] == "application/cloudevents+json"
    assert calls["/own"].headers["content-type"] == "application/vnd.ours+json"
    assert calls["/typed"].headers["content-type"] == "application/json; charset=utf-8"
    assert calls["/basic"].headers["user-agent"].startswith("changecast/")
    for call in receiver.calls:
        Verifier(SECRET).verify(call.body, call.headers)


async def test_nothing_of_a_credential_stands_in_the_records(world: World) -> None:
    async def answer(call: Call) -> int:
        return 200 if len(receiver.calls) > 1 else 401

    secret = "Bearer hunter2hunter2"
    async with receiving(answer) as receiver:
        config = config_of(webhook("hook", f"{receiver.url}/x?key=hunter2hunter2", headers={"Authorization": secret}))
        async with world.working(config):
            await world.publish(change_event())
            await until(lambda: len(receiver.calls) == 2)
            await until(lambda: _two(world))
    topics = world.cluster.topics
    records = [*(await world.records(topics.deliveries.name)), *(await world.records(topics.endpoints.name))]
    assert not any(b"hunter2" in record.value for record in records)


async def _two(world: World) -> bool:
    return len(await world.attempts()) == 2

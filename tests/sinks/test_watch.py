"""Alerts from end to end: an endpoint ails, and who asked for alerts is told, once."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier

from changecast.sandbox.slack_limits import block_problems
from runtime import kafka
from schemas import dead
from schemas.alert import AlertEvent
from schemas.config import Config
from schemas.delivery import Outcome
from sinks.verdict import EXHAUSTED
from tests.eventually import until
from tests.sinks.worlds import SECRET, Call, World, change_event, config_of, receiving, webhook


def told(name: str, url: str, **fields: Any) -> dict[str, Any]:
    """A subscription that gets alerts only."""
    return {"name": name, "alerts": True, "webhook": {"url": f"{url}/{name}", "secret": SECRET, **fields}}


def alerts(calls: list[Call]) -> list[AlertEvent]:
    return [AlertEvent.model_validate_json(call.body) for call in calls]


async def written(world: World, count: int) -> bool:
    """Whether so many alerts stand in their topic, and no more."""
    records = await world.records(world.cluster.topics.alerts.name)
    assert len(records) <= count, [record.value for record in records]
    return len(records) == count


async def ended(world: World, subscription: str, outcome: Outcome) -> bool:
    return any((attempt.subscription, attempt.outcome) == (subscription, outcome) for attempt in await world.attempts())


async def test_an_endpoint_that_is_gone_is_told_to_who_asked_for_alerts_signed_and_once(world: World) -> None:
    async def answer(call: Call) -> int:
        return 410 if call.path == "/gone" else 200

    async with receiving(answer) as receiver:
        config = config_of(
            webhook("gone", f"{receiver.url}/gone"), webhook("other", f"{receiver.url}/other"), told("ops", receiver.url)
        )
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(9)))
            await until(lambda: receiver.to("/ops") and len(receiver.to("/other")) == 9)
    (call,) = receiver.to("/ops")  # and none of the changes
    Verifier(SECRET).verify(call.body, call.headers)
    (event,) = alerts([call])
    assert call.headers["content-type"] == "application/cloudevents+json"
    assert (event.type, event.subject) == ("changecast.alert.endpoint.disabled", "changecast:endpoint:gone")
    assert event.data.summary == "The endpoint of gone is disabled: status 410."
    (record,) = await world.records(world.cluster.topics.alerts.name)
    assert record.value == call.body
    (attempt,) = [attempt for attempt in await world.attempts() if attempt.subscription == "ops"]
    assert (attempt.event_id, attempt.name, attempt.change) == (event.id, "endpoint gone", event.data.summary)


async def test_alerts_come_beside_the_changes_where_there_is_a_match_and_reach_slack_in_words(world: World) -> None:
    async def answer(call: Call) -> web.Response:
        return web.Response(status=410 if call.path == "/gone" else 200, text="ok")

    async with receiving(answer) as receiver:
        config = config_of(
            webhook("gone", f"{receiver.url}/gone"),
            told("both", receiver.url) | {"match": {"key": "title"}},
            {"name": "room", "alerts": True, "slack": {"webhook_url": f"{receiver.url}/services/T/B/x"}},
        )
        async with world.working(config):
            await world.publish(change_event(1, entity_id="1"))
            title = change_event(2, entity_id="2", changes=[{"key": "title", "action": "updated"}])  # type: ignore[list-item]
            await world.publish(title)
            await until(lambda: len(receiver.to("/both")) == 2 and receiver.to("/services/T/B/x"))
    kinds = {orjson.loads(call.body)["type"].split(".")[1] for call in receiver.to("/both")}
    assert kinds == {"tmdb", "alert"}
    (message,) = [orjson.loads(call.body) for call in receiver.to("/services/T/B/x")]
    assert message["text"] == "The endpoint of gone is disabled: status 410."
    assert block_problems(message["blocks"]) == []


async def test_a_failing_endpoint_is_told_of_at_half_three_quarters_and_when_it_is_disabled(world: World) -> None:
    async def answer(call: Call) -> int:
        return 503 if call.path == "/hook" else 200

    async with receiving(answer) as receiver:
        config = config_of(
            webhook("hook", f"{receiver.url}/hook"),
            told("ops", receiver.url),
            retry_schedule=["500ms"] * 60,
            disable_after="8s",
            alert_every="100ms",
            breaker={"requests": 1000},
        )
        async with world.working(config):
            await world.publish(change_event())
            await until(lambda: len(receiver.to("/ops")) == 3)
    found = alerts(receiver.to("/ops"))
    assert [event.type.removeprefix("changecast.alert.") for event in found] == ["endpoint.failing"] * 2 + ["endpoint.disabled"]
    assert [event.data.failing_percent for event in found] == [50, 75, 100]
    assert len({event.data.failing_since for event in found}) == len({event.data.disables_at for event in found[:2]}) == 1
    assert "every attempt failed since" in found[2].data.summary


async def test_deliveries_given_up_are_told_at_once_and_the_rest_together_after_the_hour_also_by_the_next_worker(
    world: World,
) -> None:
    async def answer(call: Call) -> int:
        return 503 if call.path == "/hook" else 200

    async with receiving(answer) as receiver:

        def alerting(every: str) -> Config:
            hook, ops = webhook("hook", f"{receiver.url}/hook"), told("ops", receiver.url)
            return config_of(hook, ops, retry_schedule=["1s"], alert_every=every, breaker={"requests": 1000})

        # a time that is not over before the five have been given up, however slow the machine
        async with world.working(alerting(every="1h")):
            await world.publish(change_event(0, entity_id="0"))
            await until(lambda: receiver.to("/ops"))
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(1, 6)))
            await until(lambda: given_up(world, 6))
        assert len(receiver.to("/ops")) == 1
        async with world.working(alerting(every="8s")):
            await until(lambda: len(receiver.to("/ops")) == 2)
    first, second = alerts(receiver.to("/ops"))
    assert first.type == second.type == "changecast.alert.delivery.dead"
    assert first.data.dead is not None
    assert second.data.dead is not None
    assert (first.data.dead.count, second.data.dead.count) == (1, 5)
    assert (first.data.dead.last.attempts, first.data.dead.last.error) == (2, "status 503")
    assert (second.time - first.time).total_seconds() >= 8
    assert await written(world, 2)


async def test_when_nobody_has_watched_before_only_the_last_moments_are_news(world: World) -> None:
    """As after an upgrade, and as at the very first start, whose first delivery may die before the watch is up."""
    topics, now = world.cluster.topics, time.time()
    async with world.cluster.producer() as producer:
        for number, age_s in enumerate((7200, 3600, 2)):
            event = change_event(number)
            origin = {"topic": topics.changes("tmdb").name, "partition": 0, "offset": number}
            headers = dead.headers(reason=EXHAUSTED, error="status 503", attempts=10, subscription="hook", **origin)  # type: ignore[arg-type]
            at = int((now - age_s) * 1000)
            await producer.send_and_wait(topics.dead.name, event.to_json(), headers=headers, timestamp_ms=at, partition=0)
    async with receiving() as receiver:
        config = config_of(webhook("hook", f"{receiver.url}/hook"), told("ops", receiver.url))
        async with world.working(config):
            await until(lambda: receiver.to("/ops"))
    (event,) = alerts(receiver.to("/ops"))
    assert event.data.dead is not None
    assert (event.data.dead.count, event.data.dead.last.event_id) == (1, "event-63057-2")


async def given_up(world: World, count: int) -> bool:
    return len(await world.records(world.cluster.topics.dead.name)) == count


async def test_of_several_workers_one_tells_and_a_restart_tells_nothing_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "HEARTBEAT_MS", 300)

    async def answer(call: Call) -> int:
        return 410 if call.path in ("/one", "/two") else 200

    async with receiving(answer) as receiver:
        config = config_of(
            webhook("one", f"{receiver.url}/one", match={"key": "images"}),
            webhook("two", f"{receiver.url}/two", match={"key": "title"}),
            told("ops", receiver.url),
        )
        async with world.working(config), world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(20)))
            await until(lambda: receiver.to("/ops"))
        title = [{"key": "title", "action": "updated"}]
        async with world.working(config), world.working(config):
            await world.publish(*(change_event(n, entity_id=str(n), changes=title) for n in range(20, 40)))  # type: ignore[arg-type]
            await until(lambda: written(world, 2))
            await until(lambda: len(receiver.to("/ops")) == 2)
    assert {event.data.subscription for event in alerts(receiver.to("/ops"))} == {"one", "two"}
    assert len({call.id for call in receiver.to("/ops")}) == 2


async def test_alerts_do_not_lead_to_alerts(world: World) -> None:
    async def answer(call: Call) -> int:
        return 500 if call.path == "/ops" else 410

    async with receiving(answer) as receiver:
        config = config_of(
            webhook("one", f"{receiver.url}/one", match={"key": "images"}),
            webhook("two", f"{receiver.url}/two", match={"key": "title"}),
            told("ops", receiver.url),
            retry_schedule=["1s"],
        )
        async with world.working(config):
            await world.publish(change_event(1))
            # the alert itself is given up
            await until(lambda: ended(world, "ops", Outcome.DEAD))
            await world.publish(change_event(2, changes=[{"key": "title", "action": "updated"}]))  # type: ignore[list-item]
            await until(lambda: written(world, 2))
            await until(lambda: any(event.data.subscription == "two" for event in alerts(receiver.to("/ops"))))
    assert {event.data.subscription for event in alerts(receiver.to("/ops"))} == {"one", "two"}


async def test_an_endpoint_is_not_told_about_itself(world: World) -> None:
    async def answer(call: Call) -> int:
        return 410 if call.path == "/self" else 200

    async with receiving(answer) as receiver:
        itself = told("self", receiver.url) | {"match": {"key": "images"}}
        async with world.working(config_of(itself, told("ops", receiver.url))):
            await world.publish(change_event(1))
            await until(lambda: receiver.to("/ops"))
    assert len(receiver.to("/self")) == 1
    assert orjson.loads(receiver.to("/self")[0].body)["type"].startswith("changecast.tmdb.")


async def test_a_template_may_make_something_of_alerts_and_where_it_does_not_they_come_whole(world: World) -> None:
    async def answer(call: Call) -> int:
        return 410 if call.path == "/gone" else 200

    changes_only = '{"text": {{ event.data.entity.name | tojson }}}'
    both = '{"content": {% if event.type.startswith("changecast.alert.") %}{{ event.data.summary | tojson }}{% else %}"-"{% endif %}}'
    async with receiving(answer) as receiver:
        config = config_of(
            webhook("gone", f"{receiver.url}/gone"),
            told("plain", receiver.url, format="template", template=changes_only),
            told("words", receiver.url, format="template", template=both),
            told("thin", receiver.url, format="thin"),
            max_body_bytes=500,
        )
        async with world.working(config):
            await world.publish(change_event())
            await until(lambda: all(receiver.to(path) for path in ("/plain", "/words", "/thin")))
    for path in ("/plain", "/thin"):
        assert receiver.to(path)[0].headers["content-type"] == "application/cloudevents+json"
        assert alerts(receiver.to(path))[0].data.subscription == "gone"
    assert orjson.loads(receiver.to("/words")[0].body) == {"content": "The endpoint of gone is disabled: status 410."}

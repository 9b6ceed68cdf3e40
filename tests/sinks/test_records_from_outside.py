"""Records that nobody of ours has written, or a newer version has: they end up in the dead topic or wait, and the rest goes on."""

from __future__ import annotations

import time

import orjson
import pytest
from aiokafka import ConsumerRecord

from schemas import dead
from schemas.alert import AlertEvent
from schemas.event import ChangeEvent
from sinks import event_form, parcel, returns, unread
from sinks.parcel import Parcel
from sinks.topics import lagging_topic, retry_topics
from tests.eventually import until
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook

AHEAD_S = 3000
"""A broker refuses records that are more than an hour ahead of its own clock."""


async def write(world: World, topic: str, value: bytes, key: bytes | None = None, partition: int = 0, **more: object) -> None:
    async with world.cluster.producer() as producer:
        await producer.send_and_wait(topic, value, key=key, partition=partition, **more)


def of_version_2(event: ChangeEvent) -> bytes:
    document = orjson.loads(event.to_json())
    return orjson.dumps({**document, "dataschema": "urn:changecast:schema:change:2"})


async def dead_records(world: World) -> list[ConsumerRecord]:
    return await world.records(world.cluster.topics.dead.name)


async def test_records_that_are_no_events_are_dead_with_their_reason_and_the_rest_is_delivered(world: World) -> None:
    topic = world.cluster.topics.changes("tmdb").name
    whole = orjson.loads(change_event().to_json())
    broken = [
        {**whole, "data": {**whole["data"], "changes": [{"action": "added"}]}},
        {**whole, "data": {**whole["data"], "entity": {**whole["data"]["entity"], "parents": ["a", "b"]}}},
        [1, 2],
    ]
    async with receiving() as receiver, world.working(config_of(webhook("hook", receiver.url))):
        for one in broken:
            await write(world, topic, orjson.dumps(one))
        await write(world, topic, change_event(9).to_json())
        await until(lambda: receiver.calls)
        await until(lambda: dead_records(world))
    found = await dead_records(world)
    assert [record.value for record in found] == [orjson.dumps(one) for one in broken]
    assert [dict(record.headers)[dead.ERROR] for record in found] == [
        b"a change has no key that is a text",
        b"entity.parents is no list of entities with type and id",
        b"not a CloudEvent",
    ]


async def test_an_event_of_a_newer_version_waits_until_a_worker_of_that_version_comes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, others = world.cluster.topics.changes("tmdb").name, world.cluster.topics.changes("pbs").name
    async with receiving() as receiver:
        config = config_of(webhook("hook", receiver.url))
        async with world.working(config):
            await write(world, changes, change_event(1).to_json())
            await write(world, changes, of_version_2(change_event(2)))
            await write(world, changes, change_event(3).to_json())
            await until(lambda: receiver.calls)
            await write(world, others, change_event(4, provider="pbs").to_json())
            await until(lambda: len(receiver.calls) >= 2)
        assert [orjson.loads(call.body)["id"][-1] for call in receiver.calls] == ["1", "4"]
        assert await dead_records(world) == []
        monkeypatch.setattr(event_form, "_READABLE", event_form._READABLE | {"urn:changecast:schema:change:2"})
        async with world.working(config):
            await until(lambda: len(receiver.calls) >= 4)
        assert [orjson.loads(call.body)["id"][-1] for call in receiver.calls] == ["1", "4", "2", "3"]


async def test_a_retry_of_a_newer_version_is_passed_on_unread_until_a_worker_of_that_version_comes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "ROUND_S", 0.2)
    topic = retry_topics(world.cluster.topics)["5m"].name
    event = change_event()
    headers = Parcel("hook", event.to_json(), 1, time.time(), "changes", 0, 0, ready=time.time()).headers()
    newer = [(name, b"2" if name == parcel.VERSION else value) for name, value in headers]

    async def rounds() -> int:
        return len([record for record in await world.records(topic) if list(record.headers) == newer])

    async with receiving() as receiver:
        config = config_of(webhook("hook", receiver.url))
        async with world.working(config):
            await write(world, topic, event.to_json(), headers=newer)

            async def three() -> bool:
                return await rounds() >= 3

            await until(three)
        assert receiver.calls == []
        assert await dead_records(world) == []
        monkeypatch.setattr(parcel, "_VERSION", 2)
        async with world.working(config):
            await until(lambda: receiver.calls)
        assert orjson.loads(receiver.calls[0].body)["id"] == event.id


async def test_a_cursor_that_nobody_can_read_is_told_with_its_range_and_the_command_that_helps(world: World) -> None:
    changes = world.cluster.topics.changes("tmdb").name
    lagging = lagging_topic(world.cluster.topics).name
    async with receiving() as receiver:
        config = config_of(webhook("hook", receiver.url))
        async with world.working(config):
            await write(world, changes, change_event(1).to_json())
            await write(world, changes, change_event(2).to_json())
            await until(lambda: len(receiver.calls) == 2)
        await write(world, lagging, b'{"offset": "three"}', key=f"hook/{changes}".encode())
        async with world.working(config):
            await write(world, changes, change_event(3).to_json())
            await until(lambda: len(receiver.calls) == 3)
            await until(lambda: world.records(world.cluster.topics.alerts.name))
        async with world.working(config):
            await write(world, changes, change_event(4).to_json())
            await until(lambda: len(receiver.calls) == 4)
    (told,) = await world.records(world.cluster.topics.alerts.name)
    alert = AlertEvent.model_validate_json(told.value)
    assert alert.type == "changecast.alert.cursor.lost"
    assert f"of {changes}, partition 0, the events from offset 0 up to 2 may not have been delivered" in alert.data.summary
    assert alert.data.remedy.startswith("changecast replay --subscription hook --since 2")
    (buried,) = await dead_records(world)
    assert (buried.value, dict(buried.headers)[dead.REASON]) == (b'{"offset": "three"}', b"bad-cursor")


async def test_a_cursor_of_a_newer_version_is_kept_and_its_partition_waits(world: World) -> None:
    changes = world.cluster.topics.changes("tmdb").name
    lagging = lagging_topic(world.cluster.topics).name
    cursor = b'{"version": 2, "place": "x"}'
    async with receiving() as receiver:
        config = config_of(webhook("hook", receiver.url))
        async with world.working(config):
            pass
        await write(world, lagging, cursor, key=f"hook/{changes}".encode())
        async with world.working(config):
            await write(world, changes, change_event(1).to_json())
            await write(world, changes, change_event(2).to_json(), partition=1)
            await until(lambda: receiver.calls)
        assert [orjson.loads(call.body)["id"][-1] for call in receiver.calls] == ["2"]
    assert [record.value for record in await world.records(lagging)] == [cursor]


async def test_retries_by_a_clock_that_was_ahead_hold_up_nothing_behind_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returns, "_WINDOW", 3)
    topic = retry_topics(world.cluster.topics)["30m"].name
    now = time.time()
    then = now + AHEAD_S
    ahead = [Parcel("hook", change_event(n).to_json(), 1, then + 3600, "changes", 0, 0, ready=then + 1800) for n in range(5)]
    good = Parcel("hook", change_event(9).to_json(), 1, now, "changes", 0, 0, ready=now)
    async with receiving() as receiver:
        for one in ahead:
            await write(world, topic, one.value, headers=one.headers(), timestamp_ms=int(then * 1000))
        await write(world, topic, good.value, headers=good.headers())
        async with world.working(config_of(webhook("hook", receiver.url))):
            await until(lambda: receiver.calls)
            assert orjson.loads(receiver.calls[0].body)["id"][-1] == "9"

            async def written_again() -> list[float]:
                found = [record for record in await world.records(topic) if record.timestamp < (now + AHEAD_S / 2) * 1000]
                return [parcel.read_parcel(record.value, record.headers).due for record in found[1:]]

            await until(lambda: len_is(written_again, 5))
            # they keep their wait: an hour from when they were written
            assert all(abs(due - now - 3600) < 120 for due in await written_again())


async def len_is(what: object, count: int) -> bool:
    return len(await what()) == count  # type: ignore[operator]


async def test_a_retry_record_that_is_none_and_a_refused_deletion_are_warnings(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(returns, "_DELETE_EVERY_S", 0.1)
    monkeypatch.setattr(returns, "RecordsToDelete", lambda offset: _beyond(offset))
    topic = retry_topics(world.cluster.topics)["1s"].name
    async with receiving() as receiver, world.working(config_of(webhook("hook", receiver.url))):
        await write(world, topic, b"\xff", headers=[(dead.SUBSCRIPTION, None)])
        await until(lambda: "goes to the dead topic: not a delivery" in caplog.text)
        await until(lambda: "retries that are done are not deleted" in caplog.text)
        await write(world, world.cluster.topics.changes("tmdb").name, change_event(1).to_json())
        await until(lambda: receiver.calls)
        await until(lambda: dead_records(world))
    (buried,) = await dead_records(world)
    assert (buried.value, dict(buried.headers)[dead.REASON]) == (b"\xff", b"bad-retry")


async def test_a_dead_record_whose_headers_have_no_value_stops_no_watching(world: World) -> None:
    async def gone(call: Call) -> int:
        return 410

    topic = world.cluster.topics.dead.name
    async with receiving(gone) as receiver, world.working(config_of(webhook("hook", receiver.url))):
        await write(world, topic, b"x", headers=[(dead.SUBSCRIPTION, None), (dead.REASON, None)])
        await write(world, topic, b"x", headers=[(dead.SUBSCRIPTION, b"hook"), (dead.REASON, b"refused"), (dead.ATTEMPTS, None)])
        await write(world, world.cluster.topics.changes("tmdb").name, change_event(1).to_json())
        await until(lambda: world.records(world.cluster.topics.alerts.name))
    (told,) = await world.records(world.cluster.topics.alerts.name)
    assert AlertEvent.model_validate_json(told.value).type == "changecast.alert.endpoint.disabled"


def _beyond(offset: int) -> object:
    """An offset that the broker refuses."""
    from aiokafka.admin import RecordsToDelete

    return RecordsToDelete(offset + 1_000_000)

"""A sinks worker as a process that is told by SIGHUP to read its config again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from tests.eventually import until
from tests.producers.worlds import Process, changecast
from tests.sinks.worlds import Call, Receiver, World, change_event, receiving, webhook

UP = "imported, configured, and connected"


class Config:
    """The worker's file, as an operator writes it."""

    def __init__(self, path: Path, world: World) -> None:
        self.path = path
        self.kafka = {
            "bootstrap_servers": world.cluster.bootstrap_servers,
            "topic_prefix": world.cluster.topics.prefix,
            "partitions": world.cluster.topics.partitions,
        }

    def write(self, *subscriptions: dict[str, Any], **other: Any) -> None:
        document = {"kafka": self.kafka, "network": {"allow": "127.0.0.0/8"}, "subscriptions": list(subscriptions), **other}
        self.path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))

    def line_of(self, words: str) -> int:
        lines = self.path.read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if words in line)


async def ready(worker: Process, times: int = 1) -> None:
    def has_started() -> bool:
        assert worker.process.returncode is None, "\n".join(worker.lines)
        return sum(UP in line for line in worker.lines) == times

    await until(has_started, 60)


async def known(world: World, *names: str) -> None:
    async def all_known() -> bool:
        return {*names} <= {record.key.decode() for record in await world.records(world.cluster.topics.endpoints.name)}

    await until(all_known)


@asynccontextmanager
async def delivering(world: World, config: Config, receiver: Receiver) -> AsyncIterator[Process]:
    """A worker with a delivery in flight, to /0."""
    config.write(webhook("news", f"{receiver.url}/0"))
    async with changecast("worker", "sinks", "-c", str(config.path)) as worker:
        await ready(worker)
        await known(world, "news")
        await world.publish(change_event(1))
        await until(lambda: len(receiver.calls) == 1)
        yield worker


def said(worker: Process, words: str) -> bool:
    return any(words in line for line in worker.lines)


@pytest.mark.timeout(180)
async def test_what_is_in_flight_arrives_once_and_the_changed_subscriptions_are_served_by_the_same_process(
    world: World, tmp_path: Path
) -> None:
    under_way: set[str] = set()
    let_go = asyncio.Event()

    async def slow_at_first(call: Call) -> int:
        if call.path == "/old" and not let_go.is_set():
            under_way.add(call.id)
            await let_go.wait()
        return 200

    async with receiving(slow_at_first) as receiver:
        config = Config(tmp_path / "changecast.yaml", world)
        old = webhook("news", f"{receiver.url}/old", concurrency=4)
        config.write(old)
        async with changecast("worker", "sinks", "-c", str(config.path)) as worker:
            await ready(worker)
            await known(world, "news")
            # more than the endpoint takes at once: some are in flight at the signal, others in the queue
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(20)))
            await until(lambda: len(under_way) == 4)

            config.write(webhook("news", f"{receiver.url}/new", concurrency=4), webhook("more", f"{receiver.url}/more"))
            worker.process.send_signal(signal.SIGHUP)
            await until(lambda: said(worker, "subscription news has another webhook.url; subscription more is new"))
            let_go.set()
            await ready(worker, times=2)
            await known(world, "more")
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(20, 30)))

            ids = {f"event-{number}-{number}" for number in range(30)}
            await until(lambda: {orjson.loads(call.body)["id"] for call in receiver.to("/old") + receiver.to("/new")} == ids, 60)
            await until(lambda: len(receiver.to("/more")) == 10, 60)
            assert psutil.pid_exists(worker.process.pid)
            worker.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(worker.process.wait(), 25) == 0
        times = Counter(orjson.loads(call.body)["id"] for call in receiver.to("/old") + receiver.to("/new"))
        assert {event: count for event, count in times.items() if count > 1} == {}, "what was in flight had time to end"
        assert len(receiver.to("/new")) >= 10


@pytest.mark.timeout(180)
async def test_a_config_with_mistakes_changes_nothing_and_is_told_in_the_log_with_line_and_column(
    world: World, tmp_path: Path
) -> None:
    async with receiving() as receiver:
        config = Config(tmp_path / "changecast.yaml", world)
        subscription = webhook("news", f"{receiver.url}/news")
        config.write(subscription)
        async with changecast("worker", "sinks", "-c", str(config.path)) as worker:
            await ready(worker)
            await known(world, "news")

            config.write(subscription, deliveries={"timeout": "9s"})
            worker.process.send_signal(signal.SIGHUP)
            await until(lambda: said(worker, "the config from before goes on"))
            place = f"{config.path}:{config.line_of('deliveries')}:3"
            assert said(worker, f'{place}: deliveries: unknown key "deliveries"; did you mean "delivery"?')

            config.write(subscription, kafka={**config.kafka, "topic_prefix": "another"})
            worker.process.send_signal(signal.SIGHUP)
            await until(lambda: said(worker, "kafka.topic_prefix can't change while changecast runs"))

            config.write(subscription, providers={"pbs": {"key": "k", "secret": "s"}})
            worker.process.send_signal(signal.SIGHUP)
            await until(lambda: said(worker, "nothing of it concerns sinks"))

            await world.publish(change_event(1))
            await until(lambda: len(receiver.to("/news")) == 1)
            assert sum(UP in line for line in worker.lines) == 1, "it has not started anew"


@pytest.mark.timeout(180)
async def test_of_reloads_in_quick_succession_the_last_one_counts(world: World, tmp_path: Path) -> None:
    async def slow(call: Call) -> int:
        await asyncio.sleep(1.5 if call.path == "/0" else 0)
        return 200

    async with receiving(slow) as receiver:
        config = Config(tmp_path / "changecast.yaml", world)
        async with delivering(world, config, receiver) as worker:
            for number in (1, 2):
                config.write(webhook("news", f"{receiver.url}/{number}"))
                worker.process.send_signal(signal.SIGHUP)
                await until(lambda count=number: sum("and starts anew" in line for line in worker.lines) >= count)  # type: ignore[misc]
            # and broken while it ends: what was good before is what it goes on with
            config.path.write_text("subscriptions: [")
            await ready(worker, times=2)
            os.kill(worker.process.pid, signal.SIGHUP)
            await until(lambda: said(worker, "the config from before goes on"))

            await world.publish(change_event(2))
            await until(lambda: len(receiver.to("/2")) == 1, 60)


@pytest.mark.timeout(120)
async def test_a_worker_that_was_told_to_end_does_not_start_anew(world: World, tmp_path: Path) -> None:
    going = asyncio.Event()

    async def slow(_call: Call) -> int:
        await going.wait()
        return 200

    async with receiving(slow) as receiver:
        config = Config(tmp_path / "changecast.yaml", world)
        async with delivering(world, config, receiver) as worker:
            config.write(webhook("news", f"{receiver.url}/1"))
            worker.process.send_signal(signal.SIGHUP)
            await until(lambda: said(worker, "and starts anew"))

            worker.process.send_signal(signal.SIGTERM)
            going.set()

            assert await asyncio.wait_for(worker.process.wait(), 25) == 0
            assert sum(UP in line for line in worker.lines) == 1

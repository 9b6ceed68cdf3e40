"""While Kafka is away nothing can be recorded: what is delivered then would be delivered again after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from changecast.kafka import EmbeddedBroker
from sinks import commits
from tests.eventually import until
from tests.sinks.worlds import Call, World, change_event, config_of, receiving, webhook


@pytest.mark.long
@pytest.mark.kafka
async def test_deliveries_wait_while_kafka_takes_no_commit_and_all_go_on_when_it_does(
    tmp_path: Path, topic_prefix: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(commits, "STALLED_S", 1.0)
    total, concurrency, in_flight = 600, 2, 0

    async def answer(call: Call) -> int:
        nonlocal in_flight
        in_flight += 1
        await asyncio.sleep(0.01)
        in_flight -= 1
        return 200

    def waiting() -> bool:
        told = [text for record in caplog.records if (text := record.getMessage()).startswith("Kafka ")]
        return bool(told) and told[-1].startswith("Kafka has taken no commit")

    broker = EmbeddedBroker(tmp_path, port=0)
    world = World(await broker.start(), topic_prefix)
    assert broker.pid is not None
    try:
        await world.prepare()
        caplog.set_level("INFO", logger="sinks")
        async with (
            receiving(answer) as receiver,
            world.working(config_of(webhook("hook", receiver.url, concurrency=concurrency))),
        ):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(total)))
            await until(lambda: len(receiver.calls) > 20 and not waiting())
            os.kill(broker.pid, signal.SIGSTOP)
            try:
                await until(waiting)
                await until(lambda: not in_flight)
                before = len(receiver.calls)
                await asyncio.sleep(0.5)  # some fifty deliveries, if they went on
                # each slot may have let one go in the moment before
                assert before <= len(receiver.calls) <= before + concurrency < total
            finally:
                os.kill(broker.pid, signal.SIGCONT)
            await until(lambda: len(receiver.calls) >= total)
        assert set(Counter(call.id for call in receiver.calls).values()) == {1}
    finally:
        await broker.stop()

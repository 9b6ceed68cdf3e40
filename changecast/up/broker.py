"""The embedded broker as one of the parts, and its start as a step that people can follow."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from changecast.kafka import EmbeddedBroker, EmbeddedKafkaError
from changecast.up.children import Exit, Part, Process
from changecast.up.supervisor import PartFailed

START_S = 600.0
"""Downloads on a slow line are part of the first start; the broker has a time-out of its own for the rest."""


class BrokerProcess:
    """The broker's process as the supervisor sees it."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        assert broker.pid is not None
        self._broker = broker
        self.pid: int = broker.pid

    async def wait(self) -> Exit:
        failure = await self._broker.wait_ended()
        return Exit(None, _beyond_the_fact(failure.what))

    async def stop(self, grace: float) -> None:
        try:
            async with asyncio.timeout(grace):
                await self._broker.stop()
        except TimeoutError:
            self.kill()
            await self._broker.stop()

    def kill(self) -> None:
        if self._broker.owned:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _beyond_the_fact(what: str) -> str | None:
    """What is known besides that it ended: the first line says that, and what it means where a diagnosis was made."""
    return what.splitlines()[0].removeprefix("The embedded Kafka ended.").strip() or None


def broker_part(broker: EmbeddedBroker, log: Path, grace: float) -> Part:
    """Starting it again goes through all the checks of a first start. EmbeddedKafkaError becomes PartFailed with its remedy."""

    async def start() -> Process:
        try:
            await broker.start()
        except EmbeddedKafkaError as error:
            raise PartFailed("kafka", f"{error.what}\n{error.remedy}") from error
        return BrokerProcess(broker)

    return Part("kafka", start, log, grace, start_timeout=START_S)

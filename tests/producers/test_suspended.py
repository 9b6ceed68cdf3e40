"""A worker that stood still past its session: another has its share of the budget by now."""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack

import pytest

from runtime.kafka import Cluster
from tests.eventually import until
from tests.producers.sandbox_process import sandbox_process
from tests.producers.test_takeover import POLLS, STANDS_BY
from tests.producers.worlds import Process, changecast, config_for, write_config

RATE = 40
POLLING = 12
"""Polling's share of it, by default."""
BUSY_S = 2


def polls(worker: Process) -> bool:
    """By its last word on that."""
    said = [line for line in worker.lines if POLLS in line or STANDS_BY in line]
    return bool(said) and POLLS in said[-1]


@pytest.mark.timeout(180)
async def test_polling_keeps_to_its_share_while_it_moves_to_another_worker_and_back(bootstrap_servers, topic_prefix, tmp_path):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    async with sandbox_process(tmp_path, tmdb_per_second=10_000) as sandbox, AsyncExitStack() as stack:
        await sandbox.edit(provider="tmdb", count=400)
        config = config_for(sandbox.url, cluster, providers=("tmdb",), rate=RATE)
        path = str(write_config(tmp_path / "changecast.yaml", config))

        async def busy() -> None:
            """The budget is used for some seconds, or this would show nothing."""
            before = (await sandbox.requests()).count("tmdb")

            async def spent() -> bool:
                return (await sandbox.requests()).count("tmdb") - before > BUSY_S * POLLING

            await until(spent, what="polling under way")

        first = await stack.enter_async_context(changecast("worker", "producers", "-c", path))
        await until(first.said(POLLS))
        second = await stack.enter_async_context(changecast("worker", "producers", "-c", path))
        await until(second.said(STANDS_BY))
        await busy()
        first.process.send_signal(signal.SIGSTOP)
        await until(second.said(POLLS))
        await busy()
        first.process.send_signal(signal.SIGCONT)
        await until(first.said("joins anew"))

        async def one_polls() -> bool:
            return polls(first) != polls(second)

        await until(one_polls, what="one of them polls; the one that stood still may have won the lead back")
        await busy()
        leader, other = (first, second) if polls(first) else (second, first)
        leader.process.send_signal(signal.SIGTERM)

        async def taken_over() -> bool:
            return polls(other)

        await until(taken_over, what="the other polls")
        await busy()
        assert (await sandbox.requests()).peak("tmdb") <= POLLING

"""One part's process: its config, its log, its Kafka, and the signals that end it."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from changecast.up.plan import config_of_worker
from changecast.up.ports import with_metrics_at
from runtime.kafka import Cluster
from runtime.logs import secrets_of, set_up
from schemas.config import Config

log = logging.getLogger(__name__)

UP_LINE = "imported, configured, and connected to Kafka"
"""The line by which `up` knows that the part has come so far."""
KAFKA_WAIT_S = 120.0
"""A broker that was killed reads through its logs when it starts again; giving up meanwhile would only cost a restart."""

Run = Callable[[Config, Cluster, asyncio.Event], Awaitable[None]]


def run_worker(part: str, path: Path | None, *, metrics_port: int | None = None, verbose: bool = False) -> None:
    """Run `<part>.worker.run` until SIGTERM or SIGINT, with its metrics at this port instead of the config's. ConfigError and
    whatever ends the part are passed on."""
    set_up(logging.DEBUG if verbose else logging.INFO)
    config = config_of_worker(path)
    set_up(logging.DEBUG if verbose else logging.INFO, secrets_of(config))
    asyncio.run(_run(part, config if metrics_port is None else with_metrics_at(config, metrics_port)))


async def _run(part: str, config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    cluster = Cluster(config.kafka)
    run: Run = importlib.import_module(f"{part}.worker").run
    log.info("%s starts (process %d, Kafka at %s)", part, os.getpid(), cluster.bootstrap_servers)
    if await _first_of(cluster.wait_ready(KAFKA_WAIT_S), stop):
        log.info(UP_LINE)
        await run(config, cluster, stop)
    log.info("%s ends", part)


async def _first_of(wait: Awaitable[None], stop: asyncio.Event) -> bool:
    """Wait for `wait`, passing on its error; False when `stop` was set before."""
    waiting, stopping = asyncio.ensure_future(wait), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([waiting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            return False
        waiting.result()
        return not stop.is_set()
    finally:
        waiting.cancel()
        stopping.cancel()

"""One part's process: its config, its log, its Kafka, and the signals that end it or give it another config."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from changecast.kafka.login import logged_in
from changecast.up.anew import Succession, start_anew
from changecast.up.handover import handed_over
from changecast.up.plan import as_decided
from changecast.up.ports import with_metrics_at
from changecast.up.reload_signals import HASTE_S, ReloadSignals
from runtime.descriptors import raise_soft_limit
from runtime.kafka import Cluster, KafkaAway, is_away
from runtime.logs import set_up, unheard
from schemas.config import Config, config_of, read_source

log = logging.getLogger(__name__)

UP_LINE = "imported, configured, and connected to Kafka"
"""The line by which `up` knows that the part has come so far."""
KAFKA_WAIT_S = 120.0
"""A broker that was killed reads through its logs when it starts again; giving up meanwhile would only cost a restart."""
EXIT_KAFKA_AWAY = 1
EXIT_INTERRUPTED = 1

Run = Callable[[Config, Cluster, asyncio.Event], Awaitable[None]]


def run_worker(
    part: str, path: Path | None, *, metrics_port: int | None = None, verbose: bool = False, leashed: bool = False
) -> int:
    """Run `<part>.worker.run` until SIGTERM or SIGINT, with its metrics at this port instead of the config's. The exit code: 1 when
    Kafka is not there, or goes away for longer than the part bears; whoever started the part starts it again. ConfigError and whatever
    else ends it are passed on.

    `leashed`: `up` has started it, and starts it anew itself when there is another config."""
    set_up(logging.DEBUG if verbose else logging.INFO)
    raise_soft_limit()
    source = handed_over() or read_source(path)
    loaded = config_of(source)
    config = as_decided(loaded.config)
    if part == "sinks" and not leashed:  # they are of subscriptions, and `up` tells them itself
        for warning in loaded.warnings:
            log.warning("%s", warning)
    succession = Succession(part, source.path, config)
    running = config if metrics_port is None else with_metrics_at(config, metrics_port)
    try:
        asyncio.run(_run(part, running, None if leashed else succession))
    except Exception as error:
        if not is_away(error):
            raise
        log.error("%s ends, to be started again: %s", part, _one_of(error))
        return EXIT_KAFKA_AWAY
    if succession.next is not None:
        log.info("%s starts anew with the new config", part)
        start_anew(succession.next)
    return 0


def _one_of(error: BaseException) -> str:
    """Several tasks of a part meet the same trouble."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, KafkaAway) else f"Kafka has gone away ({error!r})"


async def _run(part: str, config: Config, succession: Succession | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ended_from_outside() -> None:
        if succession is not None:
            succession.cancel()
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, ended_from_outside)
    loop.add_signal_handler(signal.SIGINT, Interrupts(ended_from_outside).got)
    if succession is None:
        ReloadSignals(_belongs_to_up, ended_from_outside)
        await _work(part, config, stop)
        return
    asked = asyncio.Event()
    signals = ReloadSignals(asked.set, ended_from_outside)
    reloading = asyncio.create_task(succession.follow(asked, stop), name="reloads")
    # it never ends by itself, unless it is broken
    reloading.add_done_callback(lambda _: stop.set())
    try:
        await _work(part, config, stop)
    finally:
        signals.leave_to_successor()
        reloading.cancel()
        await asyncio.wait([reloading])
    if not reloading.cancelled():
        reloading.result()


async def _work(part: str, config: Config, stop: asyncio.Event) -> None:
    cluster = Cluster(logged_in(config.kafka, config.data_dir))
    run: Run = importlib.import_module(f"{part}.worker").run
    log.info("%s starts (process %d, Kafka at %s)", part, os.getpid(), cluster.bootstrap_servers)
    with unheard("aiokafka"):
        there = await _first_of(cluster.wait_ready(KAFKA_WAIT_S, log.warning), stop)
    if there:
        log.info(UP_LINE)
        await run(config, cluster, stop)
    log.info("%s ends", part)


class Interrupts:
    """`first` is called by the first Ctrl-C. One that follows ends the process at once."""

    def __init__(self, first: Callable[[], None]) -> None:
        self._first = first
        self._at: float | None = None

    def got(self) -> None:
        now = time.monotonic()
        if self._at is None:
            self._at = now
            self._first()
        elif now - self._at > HASTE_S:
            log.warning("ended at once: calls in flight are made again at the next start")
            logging.shutdown()
            os._exit(EXIT_INTERRUPTED)


def _belongs_to_up() -> None:
    log.warning(
        "not reloaded: `changecast up` has started this worker, and gives it its config; ask that with `changecast reload`"
    )


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

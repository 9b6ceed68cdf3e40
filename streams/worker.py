"""The streams worker: runs the Faust app until told to stop, and ends at once when a batch can't be published.

Ending is the repair: the next start goes on from the committed offset, which an agent restarted in place would not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading

from aiokafka.errors import KafkaError

from producers.registry import usable_providers
from runtime.clock import SystemClock
from runtime.data_dir import make_private
from runtime.kafka import Cluster
from runtime.metrics import exporting
from runtime.outbound import Outbound
from runtime.pulse import Pulse, StoodStill
from runtime.rate import RateLimit
from runtime.topics import ensure_topics
from schemas.config import Config
from streams.app import StreamsApp
from streams.liveness import CHECK_EVERY_S, Stalled, Watchdog
from streams.looks import Looks
from streams.metrics import StreamsMetrics
from streams.place import Place
from streams.reading import EntityReader, Patience
from streams.statistics import summary

log = logging.getLogger(__name__)

STOP_S = 15.0
"""Faust can hang in its shutdown; what it waits for is not needed, since the transactions hold everything."""
LEAVE_S = 18.0
"""A supervisor waits for 20 s."""
STATISTICS_EVERY = 12
"""Checks: once a minute."""
EXIT_FAILED_BATCH = 70
"""EX_SOFTWARE: the supervisor starts the worker again."""


async def run(config: Config, cluster: Cluster, stop: asyncio.Event) -> None:
    """Process raw events until `stop` is set. Ends the process when a batch fails (see the module's words)."""
    metrics = StreamsMetrics()
    async with exporting(config.metrics, metrics):
        await _run(config, cluster, stop, metrics)


async def _run(config: Config, cluster: Cluster, stop: asyncio.Event, metrics: StreamsMetrics) -> None:
    settings = config.providers.configured()
    await ensure_topics(cluster, [*cluster.topics.common(), *(t for name in settings for t in cluster.topics.of_provider(name))])
    if not settings:
        metrics.idle = True
        log.warning("no provider is configured: there is nothing to process")
        await stop.wait()
        return
    pulse = Pulse(SystemClock())
    rates = {name: RateLimit(0, pulse=pulse) for name in settings}
    outbound = Outbound.of(config.network)
    # the changes of one that can't be used wait in its raw topic
    providers = usable_providers(settings, rates, attempts=1, outbound=outbound)
    if not providers:
        metrics.idle = True
        log.error("no configured provider can be used: nothing is processed")
        await stop.wait()
        return
    if (exposed := make_private(config.data_dir)) is not None:
        log.warning("%s", exposed)
    app = StreamsApp(cluster, config.data_dir / "streams", list(providers))
    beating = asyncio.create_task(_beat(pulse), name="pulse")

    def share_out(name: str, partitions: int) -> None:
        """Each worker spends the part of the budget that goes with its partitions, and none without any."""
        whole = settings[name].rate * settings[name].enrichment_share
        rates[name].set_rate(whole * partitions / cluster.topics.partitions)

    app.on_owned = share_out
    for name, provider in providers.items():
        limits = settings[name]
        patience = Patience(limits.settle, limits.retry_budget, limits.forbidden_recheck, limits.look_again_share)
        reader = EntityReader(provider, patience, budget=rates[name])
        app.places[name] = Place(
            provider,
            reader,
            cluster,
            app.seen[name],
            app.snapshots[name],
            limits.dedupe_window,
            limits.batch_budget,
            volatile=frozenset(limits.volatile),
            looks=Looks(tuple(limits.look_again), limits.stale_patience),
        )
    metrics.app, metrics.rates = app, rates
    await app.start()
    watching = asyncio.create_task(_watch(app, Watchdog(cluster)), name="watchdog")
    stopping = asyncio.ensure_future(stop.wait())
    ends: list[asyncio.Future[object]] = [stopping, watching, beating, app.failed]  # type: ignore[list-item]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if app.failed.done() or watching.done() or beating.done():
        logging.shutdown()
        os._exit(EXIT_FAILED_BATCH)
    watching.cancel()
    beating.cancel()
    metrics.app = None
    _leave_at_the_latest()
    try:
        async with asyncio.timeout(STOP_S):
            await app.stop()
            for provider in providers.values():
                await provider.aclose()
    except TimeoutError:
        log.warning("Faust did not stop within %.0f s; nothing is lost by leaving now", STOP_S)
        logging.shutdown()
        os._exit(0)


def _leave_at_the_latest() -> None:
    """Whatever hangs, a task that can't be cancelled or a thread of Faust's: nothing is lost by leaving."""
    leaving = threading.Timer(LEAVE_S, os._exit, (0,))
    leaving.daemon = True
    leaving.start()


async def _beat(pulse: Pulse) -> None:
    """Returns when this process has stood still: its partitions, and with them its share of the budgets, may be another's."""
    try:
        await pulse.run()
    except StoodStill as reason:
        log.critical("this worker ends, to be started again: %s", reason)


async def _watch(app: StreamsApp, watchdog: Watchdog) -> None:
    """Returns when the worker stands still."""
    checks = 0
    while True:
        await asyncio.sleep(CHECK_EVERY_S)
        checks += 1
        if checks % STATISTICS_EVERY == 0:
            for provider, partitions in app.statistics().items():
                log.info("%s: %s", provider, summary(partitions))
        if app.crashed is not None:
            log.critical("Faust has ended, and this worker with it, to be started again: %r", app.crashed)
            return
        try:
            await watchdog.check(app.positions(), app.unopened(), joining=app.joining)
        except Stalled as reason:
            log.critical("this worker stands still and ends, to be started again: %s", reason)
            return
        except KafkaError as error:
            log.warning("progress can't be checked: %s", error)

"""The producers worker: leads or stands by, and while it leads polls every configured provider's feeds side by side."""

from __future__ import annotations

import asyncio
import logging

from aiokafka.errors import ProducerFenced

from producers.board import StatusBoard
from producers.leadership import Leadership
from producers.lending import Lending, polling_rate
from producers.metrics import ProducersMetrics
from producers.poller import FeedPoller
from producers.registry import usable_providers
from producers.report import FeedReport
from producers.spending import CountedRateLimit
from runtime.clock import SystemClock
from runtime.kafka import Cluster
from runtime.metrics import exporting
from runtime.outbound import Outbound
from runtime.pulse import Pulse, StoodStill
from runtime.topics import ensure_topics
from schemas.config import Config

log = logging.getLogger(__name__)


async def run(config: Config, cluster: Cluster, stop: asyncio.Event) -> None:
    """Poll until `stop` is set. Raises what ended the polling; the supervisor starts the worker again."""
    metrics = ProducersMetrics(SystemClock())
    async with exporting(config.metrics, metrics):
        await _run(config, cluster, stop, metrics)


async def _run(config: Config, cluster: Cluster, stop: asyncio.Event, metrics: ProducersMetrics) -> None:
    names = list(config.providers.configured())
    await ensure_topics(cluster, [*cluster.topics.common(), *(t for name in names for t in cluster.topics.of_provider(name))])
    if not names:
        metrics.joined = True
        log.warning("no provider is configured: nothing is polled")
        await stop.wait()
        return
    first = True
    while not stop.is_set():
        try:
            await _take_part(config, cluster, stop, metrics, first=first)
        except* StoodStill as pause:
            log.warning("%s; another worker may poll by now, so this one joins anew", pause.exceptions[0])
        except* ProducerFenced:
            log.warning("another worker polls the providers, so this one joins anew")
        first = False


async def _take_part(config: Config, cluster: Cluster, stop: asyncio.Event, metrics: ProducersMetrics, *, first: bool) -> None:
    """Lead or stand by, until `stop` is set. `first`: this process has not done so before. Raises StoodStill and ProducerFenced, in a
    group."""
    pulse = Pulse(SystemClock())
    async with asyncio.TaskGroup() as group:
        # from before it joins: it would not learn of a pause in between
        beating = group.create_task(pulse.run(), name="pulse")
        async with Leadership(cluster) as leadership:
            metrics.joined = True
            while not stop.is_set():
                await _first(stop, leadership.gained)
                if not stop.is_set():
                    rates = _budgets(config, pulse, taken_over=leadership.stood_by or not first)
                    await _poll_while_leading(config, cluster, stop, leadership, rates, metrics)
        beating.cancel()


def _budgets(config: Config, pulse: Pulse, *, taken_over: bool) -> dict[str, CountedRateLimit]:
    """Polling's share of each provider's requests. When it is taken over, its last owner may have spent it a moment ago."""
    found = {}
    for name, settings in config.providers.configured().items():
        share = polling_rate(settings)
        found[name] = CountedRateLimit(0 if taken_over else share, pulse=pulse)
        found[name].set_rate(share)
    return found


async def _poll_while_leading(
    config: Config,
    cluster: Cluster,
    stop: asyncio.Event,
    leadership: Leadership,
    rates: dict[str, CountedRateLimit],
    metrics: ProducersMetrics,
) -> None:
    clock = SystemClock()
    outbound = Outbound.of(config.network)
    providers = usable_providers(config.providers.configured(), rates, outbound=outbound).values()
    board = StatusBoard(cluster, lambda name: rates[name].rate)
    pollers = [
        FeedPoller(cluster, provider.name, feed, clock=clock, report=FeedReport(provider.name, feed, clock, board.changed))
        for provider in providers
        for feed in provider.feeds
    ]
    board.reports = metrics.reports = [poller.report for poller in pollers]
    lending = Lending(cluster, rates, board.changed)
    board.lent_to = lending.lent_to
    metrics.rates = rates
    try:
        await lending.begin()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(poller.run(), name=poller.name) for poller in pollers]
            tasks.append(group.create_task(board.run(), name="status"))
            tasks.append(group.create_task(lending.run(), name="lending"))
            await _first(stop, leadership.lost)
            for task in tasks:
                task.cancel()
        if stop.is_set():
            await board.stopped()
    finally:
        metrics.reports, metrics.rates = (), {}
        for provider in providers:
            await provider.aclose()


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()

"""The producers worker: leads or stands by, and while it leads polls every configured provider's feeds side by side."""

from __future__ import annotations

import asyncio
import logging

from producers.interface import Provider
from producers.leadership import Leadership
from producers.poller import FeedPoller
from producers.registry import REGISTRY
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from runtime.topics import ensure_topics
from schemas.config import Config

log = logging.getLogger(__name__)


def polling_providers(config: Config) -> list[Provider]:
    """The configured providers, each with polling's share of its request budget."""
    return [
        REGISTRY[name](settings, RateLimit(settings.rate * (1 - settings.enrichment_share)))
        for name, settings in config.providers.configured().items()
    ]


async def run(config: Config, cluster: Cluster, stop: asyncio.Event) -> None:
    """Poll until `stop` is set. Raises what ended the polling; the supervisor starts the worker again."""
    names = list(config.providers.configured())
    await ensure_topics(cluster, [*cluster.topics.common(), *(t for name in names for t in cluster.topics.of_provider(name))])
    if not names:
        log.warning("no provider is configured: nothing is polled")
        await stop.wait()
        return
    async with Leadership(cluster) as leadership:
        while not stop.is_set():
            await _first(stop, leadership.gained)
            if not stop.is_set():
                await _poll_while_leading(config, cluster, stop, leadership)


async def _poll_while_leading(config: Config, cluster: Cluster, stop: asyncio.Event, leadership: Leadership) -> None:
    providers = polling_providers(config)
    pollers = [FeedPoller(cluster, provider.name, feed) for provider in providers for feed in provider.feeds]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(poller.run(), name=poller.name) for poller in pollers]
            await _first(stop, leadership.lost)
            for task in tasks:
                task.cancel()
    finally:
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

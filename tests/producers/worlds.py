"""Producers workers over a sandbox and a real Kafka: what the tests of whole workers share."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from changecast.sandbox import sandbox_providers
from producers.backfill import Range, StandingClock, ranged
from producers.registry import REGISTRY
from producers.worker import run
from runtime.clock import Clock, SystemClock
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from runtime.topics import read_to_end
from schemas.config import Config
from schemas.cursor import Cursor
from schemas.dead_mark import is_dead_mark_key
from schemas.event import ObservedEvent
from schemas.feed_status import is_status_key
from schemas.loan import is_loan_key
from tests.eventually import until  # noqa: F401 - for tests on their way that import it from here
from tests.evidence import shown_on_failure

PROVIDERS = ("tmdb", "pbs", "tvdb")


def config_for(url: str, cluster: Cluster, *, providers: tuple[str, ...] = PROVIDERS, **changes: Any) -> Config:
    """A config that watches the sandbox at `url`. `changes`: settings for each of the providers."""
    sections = {
        name: {**section, "interval": "1s", **changes} for name, section in sandbox_providers(url).items() if name in providers
    }
    kafka = {"bootstrap_servers": cluster.bootstrap_servers, "topic_prefix": cluster.topics.prefix}
    return Config.model_validate({"kafka": kafka, "providers": sections})


def write_config(path: Path, config: Config) -> Path:
    """The same for a process, as a file."""
    document = config.model_dump(mode="json", include={"kafka": {"bootstrap_servers", "topic_prefix"}})
    document["providers"] = {
        name: {**settings.model_dump(mode="json", exclude_defaults=True), **_secrets(settings)}
        for name, settings in config.providers.named().items()
    }
    path.write_bytes(orjson.dumps(document))
    return path


def _secrets(settings: Any) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in settings if hasattr(value, "get_secret_value")}


@asynccontextmanager
async def working(config: Config, cluster: Cluster) -> AsyncIterator[None]:
    """A producers worker in this process, which is stopped in order at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(run(config, cluster, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def raw_events(cluster: Cluster, provider: str) -> list[ObservedEvent]:
    """What stands in the provider's raw topic, committed."""
    records = [record async for record in read_to_end(cluster, cluster.topics.raw(provider).name)]
    return [ObservedEvent.model_validate_json(record.value) for record in records]


async def counted(cluster: Cluster, provider: str) -> Counter[str]:
    return Counter(event.id for event in await raw_events(cluster, provider))


async def cursors(cluster: Cluster) -> dict[str, Cursor]:
    found = {}
    async for record in read_to_end(cluster, cluster.topics.cursors.name):
        if record.value is not None and not (
            is_status_key(record.key) or is_loan_key(record.key) or is_dead_mark_key(record.key)
        ):
            found[record.key.decode()] = Cursor.model_validate_json(record.value)
    return found


async def whole_history(
    config: Config, provider: str, clock: Clock | None = None, since: timedelta = timedelta(hours=24)
) -> set[str]:
    """The ids of everything that the provider tells of now: a reader of its own, which nothing has happened to."""
    clock = clock or SystemClock()
    span = Range(clock.now() - since, clock.now())
    settings = ranged(config.providers.configured()[provider], span)
    source = REGISTRY[provider](settings, RateLimit(1000), StandingClock(span.until, clock))
    try:
        return {event.id for feed in source.feeds async for page in feed.poll(None) for event in page.events}
    finally:
        await source.aclose()


async def read_past(cluster: Cluster, moment: datetime, feeds: int) -> bool:
    """Whether so many feeds have been read beyond this moment."""
    found = (await cursors(cluster)).values()
    return sum(cursor.read_to > moment for cursor in found) >= feeds


@dataclass
class Process:
    """`changecast …` as a process, with its lines."""

    process: asyncio.subprocess.Process
    lines: list[str]

    def said(self, words: str, times: int = 1) -> Callable[[], Awaitable[bool]]:
        async def heard() -> bool:
            assert self.process.returncode is None, "\n".join(self.lines)
            return sum(words in line for line in self.lines) >= times

        return heard


@asynccontextmanager
async def changecast(*arguments: str, environ: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "changecast", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})},
    )  # fmt: skip
    started = Process(child, [])
    shown_on_failure(" ".join(("changecast", *arguments)), lambda: started.lines)

    async def listen() -> None:
        assert child.stdout is not None
        async for line in child.stdout:
            started.lines.append(line.decode().rstrip())

    listening = asyncio.create_task(listen())
    try:
        yield started
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
        await listening


def now() -> datetime:
    return datetime.now(UTC)

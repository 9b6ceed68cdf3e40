"""What the sinks' tests deliver to and from: a receiver on loopback, events in a real Kafka, a worker in this process."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiokafka import ConsumerRecord

from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from schemas.config import Config
from schemas.delivery import Attempt
from schemas.event import Change, ChangeData, ChangeEvent, Enrichment, Entity, Image, Parent, Status
from sinks.topics import every_topic
from sinks.worker import run
from tests.eventually import until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def change_event(
    number: int = 1,
    *,
    provider: str = "tmdb",
    entity: str = "episode",
    entity_id: str = "63057",
    changes: list[Change] | None = None,
    images: list[Image] | None = None,
    **fields: Any,
) -> ChangeEvent:
    """An event of one episode; `number` tells events apart."""
    now = datetime.now(UTC)
    parents = fields.pop(
        "parents", [Parent(type="series", id="1399", name="Game of Thrones"), Parent(type="season", id="3624", number=1)]
    )
    kept = [Change(key="images", action="added", language="en")] if changes is None else changes
    return ChangeEvent(
        id=f"event-{entity_id}-{number}",
        source=f"urn:changecast:{provider}",
        type=f"changecast.{provider}.{entity}.images.added",
        subject=f"{provider}:{entity}:{entity_id}",
        time=now,
        data=ChangeData(
            provider=provider,
            entity=Entity(
                type=entity, native_type=entity, id=entity_id, name=fields.pop("name", "The Kingsroad"), parents=parents, number=2, **fields
            ),
            changes=kept,
            images=images or [],
            enrichment=Enrichment(status=Status.COMPLETE),
            observed_at=now,
        ),
    )  # fmt: skip


@dataclass
class Call:
    """One request that a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Answering = Callable[[Call], Awaitable[web.StreamResponse | int]]


@dataclass
class Receiver:
    """An HTTP server that records its calls. `answer` gives a status or a response."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answer: Answering | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.path, headers, await request.read(), time.time())
        self.calls.append(call)
        given: web.StreamResponse | int = 200 if self.answer is None else await self.answer(call)
        return web.Response(status=given) if isinstance(given, int) else given

    def to(self, path: str) -> list[Call]:
        return [call for call in self.calls if call.path == path]


@contextlib.asynccontextmanager
async def receiving(answer: Answering | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer=answer)
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    receiver.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def config_of(*subscriptions: dict[str, Any], **delivery: Any) -> Config:
    """Loopback allowed; retries after a second or so."""
    return Config.model_validate(
        {
            "network": {"allow": ["127.0.0.0/8"]},
            "delivery": {"retry_schedule": ["1s", "1s", "1s"], **delivery},
            "subscriptions": list(subscriptions),
        }
    )


def webhook(name: str, url: str, **fields: Any) -> dict[str, Any]:
    match, when = fields.pop("match", {}), fields.pop("when", None)
    return {"name": name, "match": match, "when": when, "webhook": {"url": url, "secret": SECRET, **fields}}


class World:
    """A cluster with the topics made, and what is in them."""

    def __init__(self, bootstrap_servers: str, prefix: str, partitions: int = 2) -> None:
        self.cluster = Cluster.at(bootstrap_servers, prefix, partitions)

    async def prepare(self) -> None:
        await ensure_topics(self.cluster, every_topic(self.cluster.topics))

    async def publish(self, *events: ChangeEvent, provider: str = "tmdb") -> None:
        async with self.cluster.producer() as producer:
            topic = self.cluster.topics.changes(provider).name
            sent = [
                await producer.send(topic, event.to_json(), key=event.subject.encode(), headers=event.kafka_headers())
                for event in events
            ]
            await asyncio.gather(*sent)

    async def attempts(self) -> list[Attempt]:
        records = await self.records(self.cluster.topics.deliveries.name)
        return [Attempt.model_validate_json(record.value) for record in records]

    async def records(self, topic: str) -> list[ConsumerRecord]:
        return [record async for record in read_to_end(self.cluster, topic)]

    @contextlib.asynccontextmanager
    async def working(self, config: Config) -> AsyncIterator[None]:
        """The worker runs inside, and has known its subscriptions before anything inside is published."""
        stop = asyncio.Event()
        task = asyncio.create_task(run(config, self.cluster, stop))
        try:
            await self._known(config, task)
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, 20)

    async def _known(self, config: Config, task: asyncio.Task[None]) -> None:
        names = {one.name for one in config.subscriptions}

        async def all_known() -> bool:
            if task.done():
                task.result()
            records = await self.records(self.cluster.topics.endpoints.name)
            return names <= {record.key.decode() for record in records}

        await until(all_known)


until_async = until  # tests on their way may still import it from here

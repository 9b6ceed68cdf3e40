"""What the tests of operators' commands share: a world of topics, and the command line on it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner, Result

from changecast.cli import cli
from schemas.delivery import Attempt
from sinks.signing import webhook_id
from tests.sinks.worlds import SECRET, World, change_event


class Operator:
    """Types commands, with a config that names the world's Kafka."""

    def __init__(self, world: World, folder: Path, *subscriptions: dict[str, Any]) -> None:
        self.world = world
        self.path = folder / "changecast.yaml"
        self.write(*subscriptions)

    def write(self, *subscriptions: dict[str, Any]) -> None:
        settings = self.world.cluster.settings
        kafka = {
            "bootstrap_servers": settings.bootstrap_servers,
            "topic_prefix": settings.topic_prefix,
            "partitions": settings.partitions,
        }
        document = {"kafka": kafka, "providers": {}, "subscriptions": list(subscriptions)}
        self.path.write_bytes(orjson.dumps(document))  # JSON is YAML

    async def types(self, *arguments: str) -> Result:
        """`deliveries list --limit 3`: where the config goes is found here."""
        words = 2 if arguments[0] in ("deliveries", "endpoints", "dead") else 1
        given = [*arguments[:words], "-c", str(self.path), *arguments[words:]]
        return await asyncio.to_thread(CliRunner().invoke, cli, given)


def hook(name: str, url: str = "https://example.org/hook", **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields, "webhook": {"url": url, "secret": SECRET}}


def attempt(number: int = 1, subscription: str = "hook", **fields: Any) -> Attempt:
    """An attempt for the event of this number."""
    event = change_event(number)
    known = {
        "webhook_id": webhook_id(event.id, subscription),
        "event_id": event.id,
        "subject": event.subject,
        "subscription": subscription,
        "kind": "webhook",
        "attempt": 1,
        "outcome": "delivered",
        "at": datetime.now(UTC),
        "ms": 12.0,
        "status_code": 200,
        "name": "Game of Thrones S01E02 The Kingsroad",
        "change": "image added (en)",
    }
    return Attempt.model_validate({**known, **fields})


async def record(world: World, *attempts: Attempt) -> None:
    async with world.cluster.producer() as producer:
        for one in attempts:
            await producer.send_and_wait(world.cluster.topics.deliveries.name, one.to_json(), key=one.subscription.encode())

"""Who delivers in the sinks' bench, each a process of its own: `python -m bench.sinks.subjects KIND SERVERS PREFIX SETTINGS`.

worker  the sinks worker; SETTINGS is the config as JSON
relay   a bare aiokafka consumer that posts each record at once; SETTINGS is {"url", "subscription"}
bare    a bare aiohttp client; SETTINGS is {"urls", "bodies", "count", "concurrency"}: so many posts to each URL, side by side
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp
import orjson
from aiokafka import ConsumerRecord

from bench.sinks.events import PROVIDER, body
from changecast.leash import end_with_parent
from runtime.kafka import Cluster
from runtime.logs import set_up
from schemas.config import Config
from sinks.signing import webhook_id
from sinks.worker import run

_HEADERS = {"content-type": "application/cloudevents+json", "user-agent": "bare"}


async def worker(cluster: Cluster, settings: dict[str, Any]) -> None:
    await run(Config.model_validate(settings), cluster, asyncio.Event())


async def relay(cluster: Cluster, settings: dict[str, Any]) -> None:
    async def post(record: ConsumerRecord) -> None:
        identity = webhook_id(dict(record.headers)["ce_id"].decode(), settings["subscription"])
        async with session.post(settings["url"], data=record.value, headers={**_HEADERS, "webhook-id": identity}) as response:
            await response.read()

    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        cluster.consumer(cluster.topics.changes(PROVIDER).name, group_id=f"{cluster.topics.prefix}-relay") as consumer,
        asyncio.TaskGroup() as tasks,
    ):
        async for record in consumer:
            tasks.create_task(post(record))


async def bare(settings: dict[str, Any]) -> None:
    bodies = [body(number) for number in range(settings["bodies"])]

    async def post(session: aiohttp.ClientSession, url: str, numbers: Iterator[int]) -> None:
        for number in numbers:
            content = bodies[number % len(bodies)]
            async with session.post(url, data=content, headers={**_HEADERS, "webhook-id": f"{number}"}) as response:
                await response.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as tasks:
        for url in settings["urls"]:
            numbers = iter(range(settings["count"]))
            for _ in range(settings["concurrency"]):
                tasks.create_task(post(session, url, numbers))
    await asyncio.Event().wait()  # its processor time is still to be asked for


def main(kind: str, servers: str, prefix: str, settings: str) -> None:
    end_with_parent()
    set_up(logging.INFO)
    if kind == "worker":
        asyncio.run(worker(Cluster.at(servers, prefix), orjson.loads(settings)))
    elif kind == "relay":
        asyncio.run(relay(Cluster.at(servers, prefix), orjson.loads(settings)))
    else:
        asyncio.run(bare(orjson.loads(settings)))


if __name__ == "__main__":
    main(*sys.argv[1:])

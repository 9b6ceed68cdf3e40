"""What is measured, each a process of its own: `python -m bench.streams.subjects KIND SERVERS PREFIX FOLDER URL`.

streams    the streams worker, with a provider that answers from memory
agent      the obvious Faust agent: a table of seen ids, a fetch, a send; Faust's default guarantees
agent-bare the same without the fetch
loop       a bare aiokafka loop: consume, read and write the JSON, produce, commit; no dedupe, no fetch
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import timedelta
from pathlib import Path

import faust
import orjson
from mode import Worker

from bench.streams.provider import BenchProvider
from bench.streams.workload import PROVIDER
from changecast.leash import end_with_parent
from runtime.kafka import Cluster
from runtime.logs import set_up
from schemas.event import ObservedEvent, Status
from streams import assemble
from streams.app import StreamsApp
from streams.place import Place
from streams.reading import EntityReader, Patience
from streams.snapshots import State

_POLL = 500
"""Records that the bare loop takes at a time, as consumers do by default."""


async def streams(cluster: Cluster, folder: Path, url: str) -> None:
    app = StreamsApp(cluster, folder, [PROVIDER])
    provider = BenchProvider(url)
    reader = EntityReader(provider, Patience(settle=timedelta(0)))
    app.places[PROVIDER] = Place(provider, reader, cluster, app.seen[PROVIDER], app.snapshots[PROVIDER], timedelta(days=3650))
    await app.start()
    reason = await app.failed
    logging.critical("ended: %r", reason)
    os._exit(70)


def agent(cluster: Cluster, folder: Path, url: str | None) -> None:
    app = faust.App(
        f"{cluster.topics.prefix}-agent",
        broker=f"kafka://{cluster.bootstrap_servers}",
        store="rocksdb://?driver=rocksdict",
        datadir=folder,
        topic_partitions=cluster.topics.partitions,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
    )
    raw = app.topic(cluster.topics.raw(PROVIDER).name, partitions=cluster.topics.partitions, value_type=bytes)
    changes = app.topic(cluster.topics.changes(PROVIDER).name, partitions=cluster.topics.partitions, value_type=bytes)
    seen = app.Table("seen", default=bool, partitions=cluster.topics.partitions)
    provider = BenchProvider(url) if url is not None else None

    @app.agent(raw)
    async def enrich(stream) -> None:  # type: ignore[no-untyped-def]
        async for value in stream:
            event = ObservedEvent.model_validate_json(value)
            if seen[event.id]:
                continue
            seen[event.id] = True
            if provider is None:
                change = assemble.unread(event, Status.SKIPPED, None)
            else:
                change = assemble.read(provider, event, State.of(await provider.fetch(event.data.entity)), [])
            await changes.send(key=event.subject.encode(), value=change.to_json())

    Worker(app, loglevel="WARNING", quiet=True).execute_from_commandline()


async def loop(cluster: Cluster) -> None:
    topic = cluster.topics.changes(PROVIDER).name
    async with (
        cluster.consumer(cluster.topics.raw(PROVIDER).name, group_id=f"{cluster.topics.prefix}-loop") as consumer,
        cluster.producer() as producer,
    ):
        while True:
            sent = []
            for tp, records in (await consumer.getmany(timeout_ms=200, max_records=_POLL)).items():
                for record in records:
                    document = orjson.loads(record.value)
                    document["type"] = "changecast.pbs.asset.title.updated"
                    sent.append(await producer.send(topic, orjson.dumps(document), key=record.key, partition=tp.partition))
            if sent:
                await asyncio.gather(*sent)
                await consumer.commit()


def main(kind: str, servers: str, prefix: str, folder: str, url: str) -> None:
    end_with_parent()
    set_up(logging.INFO)
    cluster = Cluster.at(servers, prefix)
    if kind == "streams":
        asyncio.run(streams(cluster, Path(folder), url))
    elif kind == "loop":
        asyncio.run(loop(cluster))
    else:
        agent(cluster, Path(folder), url if kind == "agent" else None)


if __name__ == "__main__":
    main(*sys.argv[1:])

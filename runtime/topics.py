"""Making the topics, and reading a compacted one to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from runtime.amounts import amount
from runtime.kafka import Cluster
from schemas.topics import Topic

log = logging.getLogger(__name__)

_NO_ERROR = 0
_TOPIC_ALREADY_EXISTS = 36
_PROPAGATION_S = 60.0
"""On a machine where everything starts at the same time, 15 s were seen not to be enough."""
_COPIES = 3
"""Survives the loss of two brokers: what Kafka's own guides advise."""


class TopicMismatch(Exception):
    """A topic exists with another number of partitions than the config says, and can't be changed: keys would move."""


async def ensure_topics(cluster: Cluster, topics: Iterable[Topic]) -> None:
    """Create those that are missing; several workers may do so at once. Raises TopicMismatch."""
    wanted = {topic.name: topic for topic in topics}
    async with cluster.admin() as admin:
        existing = set(await admin.list_topics())
        missing = [topic for name, topic in wanted.items() if name not in existing]
        if missing:
            copies = cluster.settings.replication_factor or await _replication_factor(admin)
            response = await admin.create_topics([_new(topic, copies) for topic in missing])
            for name, code, message in response.topic_errors:
                if code not in (_NO_ERROR, _TOPIC_ALREADY_EXISTS):
                    raise for_code(code)(f"topic {name} could not be created: {message}")
        for name, partitions in (await _known_partitions(admin, list(wanted))).items():
            if len(partitions) != wanted[name].partitions:
                raise TopicMismatch(
                    f"topic {name} has {amount(len(partitions), 'partition')}, the config says {wanted[name].partitions}: "
                    "set kafka.partitions back, or take a new kafka.topic_prefix"
                )


async def _known_partitions(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, list[int]]:
    """Each topic's partitions. A topic that has just been made is known to a broker a moment later: wait for it."""
    known: dict[str, list[int]] = {}
    try:
        async with asyncio.timeout(_PROPAGATION_S):
            while True:
                known = {
                    description["topic"]: sorted(partition["partition"] for partition in description["partitions"])
                    for description in await admin.describe_topics(names)
                }
                if all(known.get(name) for name in names):
                    return known
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        missing = ", ".join(name for name in names if not known.get(name))
        raise TimeoutError(f"{_PROPAGATION_S:.0f} s after they were made, Kafka doesn't know these topics: {missing}") from error


async def _replication_factor(admin: AIOKafkaAdminClient) -> int:
    description = await admin.describe_cluster()
    return min(_COPIES, len(description["brokers"]))


def _new(topic: Topic, copies: int) -> NewTopic:
    return NewTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=copies,
        topic_configs=topic.topic_configs(),
    )


async def read_to_end(cluster: Cluster, topic: str, partitions: Iterable[int] | None = None) -> AsyncIterator[ConsumerRecord]:
    """Every committed record that stands in the topic now, partition by partition in order."""
    consumer = cluster.consumer(group_id=None)
    await consumer.start()
    try:
        chosen = partitions if partitions is not None else await _partitions(cluster, topic)
        assignment = [TopicPartition(topic, partition) for partition in chosen]
        if not assignment:
            return
        consumer.assign(assignment)
        ends = await consumer.end_offsets(assignment)
        pending = {tp for tp in assignment if ends[tp] > 0}
        await consumer.seek_to_beginning(*assignment)
        while pending:
            for records in (await consumer.getmany(*pending, timeout_ms=200)).values():
                for record in records:
                    yield record
            # the position passes transaction markers and compacted records, which no record ever shows
            pending = {tp for tp in pending if await consumer.position(tp) < ends[tp]}
    finally:
        await consumer.stop()


async def _partitions(cluster: Cluster, topic: str) -> list[int]:
    """The topic's partitions; none of a topic that does not exist."""
    async with cluster.admin() as admin:
        if topic not in await admin.list_topics():
            return []
        return (await _known_partitions(admin, [topic]))[topic]

"""Calls in flight when their partition moves: the answer is passed on to the next owner, so that nothing is sent twice.

A receiver may take as long as `delivery.timeout`, and a rebalance must not: all endpoints stand still meanwhile. So the last owner waits
`HAND_OVER_S`. What has no answer by then is written as a retry record that names the pending call (`Parcel.awaits`), in the transaction
that frees its offset, and is due only when the call is certainly over. The call goes on; its answer is written to `changecast.handover`.
When the record is due, its owner by then looks there:

    last owner   call ───────────────────────── answer: 200 ─▶ changecast.handover
    partition        ─ moves ─▶ retry record, awaits token ── due: 200 is found, nothing is sent ─▶ settled

Where no answer is found, the last owner was killed, and the delivery is attempted again.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from runtime.clock import Clock
from runtime.kafka import Cluster
from runtime.topics import read_to_end
from schemas.handover import LateAnswer
from sinks.endpoint import Endpoint
from sinks.parcel import Parcel
from sinks.shard import Shard
from sinks.topics import handover_topic

log = logging.getLogger(__name__)

HAND_OVER_S = 3.0
"""As long may calls in flight hold up a partition that moves: all endpoints stand still meanwhile."""
_MARGIN_S = 5.0
"""For the answer to reach Kafka, and for clocks that differ."""


class Handover:
    """`timeout`: seconds after which every call has ended."""

    def __init__(
        self, cluster: Cluster, producer: AIOKafkaProducer, endpoints: Mapping[str, Endpoint], clock: Clock, timeout: float
    ) -> None:
        self._topic = handover_topic(cluster.topics).name
        self._producer = producer
        self._endpoints = endpoints
        self._clock = clock
        self._timeout = timeout
        self._writes: set[asyncio.Task[None]] = set()

    def give(self, shard: Shard) -> None:
        """Whatever of this shard is in flight still is the next owner's to complete, by the shard's next commit."""
        now = self._clock.now().timestamp()
        for endpoint in self._endpoints.values():
            for delivery in endpoint.in_flight_of(shard):
                if delivery.handed_over:
                    # a stop that meets a rebalance: a second record would wait for an answer that never comes
                    continue
                delivery.handed_over = uuid.uuid4().hex
                parcel = Parcel(
                    *(delivery.subscription, delivery.event.value, delivery.attempts, now + self._timeout + _MARGIN_S),
                    *(delivery.topic, shard.partition, delivery.offset),
                    awaits=delivery.handed_over,
                )
                shard.park(parcel, now)
                shard.settle(delivery.held_topic, delivery.held_offset, delivery.subscription)

    def answered(self, answer: LateAnswer, partition: int) -> None:
        """A call that was handed over has ended."""
        task = asyncio.create_task(self._write(answer, partition))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def flush(self) -> None:
        """Return when all answers are written, or could not be."""
        while self._writes:
            await asyncio.wait(set(self._writes))

    async def _write(self, answer: LateAnswer, partition: int) -> None:
        key = answer.subscription.encode()
        try:
            await self._producer.send_and_wait(self._topic, answer.to_json(), key=key, partition=partition)
        except KafkaError as problem:
            log.warning("an answer of %s is not recorded, and its delivery will be repeated: %r", answer.subscription, problem)


async def late_answers(cluster: Cluster, partition: int) -> dict[str, LateAnswer]:
    """All that are recorded now for this partition, by token."""
    found = {}
    async for record in read_to_end(cluster, handover_topic(cluster.topics).name, [partition]):
        try:
            answer = LateAnswer.model_validate_json(record.value or b"")
        except ValidationError as error:
            log.warning("%s-%d@%d is no answer, and is skipped: %s", record.topic, record.partition, record.offset, error)
            continue
        found[answer.token] = answer
    return found

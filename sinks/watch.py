"""Watches the endpoints' health for operators: decides what they are told, and writes it to `changecast.alerts`.

One worker does it for all, the owner of partition 0: an alert, the note that it was told, and how far the dead topic has been read are
one transaction of that shard's fenced producer. So a kill or a move neither loses an alert nor tells one twice. From its topic an alert
is delivered like any event.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from pydantic import ValidationError

from runtime.clock import Clock
from runtime.kafka import Cluster
from runtime.topics import read_to_end
from schemas import dead, redaction
from schemas.alert import AlertData, AlertKind, LastDead, ReadTo, Told
from schemas.delivery import EndpointState
from sinks.alerting import alert, due, told_now, with_dead
from sinks.answer import Kind
from sinks.event import UnreadableEvent, read_event
from sinks.shard import Out, Shard
from sinks.signing import webhook_id
from sinks.standing import Standing
from sinks.states import EndpointStates
from sinks.topics import told_topic
from sinks.verdict import GIVEN_UP

log = logging.getLogger(__name__)

WATCHING = 0
"""The partition number whose owner watches."""
_LOOK_EVERY_MS = 1000
_RECENT = timedelta(minutes=1)
_MAX_RECORDS = 500
_FETCH_BYTES = 512 * 1024
_READ_TO = b"dead"
_ENDPOINT = "endpoint/"
"""Keys in the told topic: how far the dead topic is read; and, with the subscription behind it, what was told of an endpoint."""


class Watch:
    """`kinds`: the endpoints of the config, by subscription; others are not watched."""

    def __init__(
        self,
        cluster: Cluster,
        shard: Shard,
        states: EndpointStates,
        kinds: Mapping[str, Kind],
        clock: Clock,
        *,
        every: timedelta,
        disable_after: timedelta,
    ) -> None:
        self._cluster = cluster
        self._shard = shard
        self._states = states
        self._kinds = kinds
        self._clock = clock
        self._every = every
        self._disable_after = disable_after
        self._topic = told_topic(cluster.topics).name
        self._told: dict[str, Told] = {}
        self._read_to: dict[int, int] = {}

    async def run(self) -> None:
        """Until cancelled, or the shard goes to another worker."""
        await self._restore()
        consumer = self._cluster.consumer(group_id=None, max_partition_fetch_bytes=_FETCH_BYTES)
        try:
            await consumer.start()
            await self._take_up(consumer)
            while not self._shard.leaving:
                found = await consumer.getmany(timeout_ms=_LOOK_EVERY_MS, max_records=_MAX_RECORDS)
                # no await from here on: what was read, what is told of it and the note of both belong to one transaction
                self._take(found)
                self._tell()
        finally:
            await consumer.stop()

    async def _restore(self) -> None:
        """What the last owner had told. That of subscriptions that were removed is taken away."""
        records = {record.key: record.value async for record in read_to_end(self._cluster, self._topic)}
        for key, value in records.items():
            if value is None or key is None:
                continue
            try:
                if key == _READ_TO:
                    self._read_to = ReadTo.model_validate_json(value).offsets
                    continue
                told = Told.model_validate_json(value)
            except ValidationError as error:
                log.warning("%s: the record of %r can't be read, and counts as none: %s", self._topic, key, error)
                continue
            if told.subscription in self._kinds:
                self._told[told.subscription] = told
            elif self._states.standing(told.subscription) is not Standing.KEPT:
                self._shard.add(Out(self._topic, key, None, []))

    async def _take_up(self, consumer: AIOKafkaConsumer) -> None:
        """Where the last owner was in the dead topic. When nobody has ever watched, what was given up long ago is no news; but
        deliveries begin at a start before the watch does, so that the last moments are."""
        topic = self._cluster.topics.dead
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        recent = int((self._clock.now() - _RECENT).timestamp() * 1000)
        for partition, found in (await consumer.offsets_for_times(dict.fromkeys(partitions, recent))).items():
            first = ends[partition] if found is None else found.offset
            known = self._read_to.get(partition.partition, first)
            # beyond the topic's time there is nothing to go on with
            offset = self._read_to[partition.partition] = max(known, begins[partition])
            consumer.seek(partition, offset)
        self._note_read_to()

    def _take(self, found: Mapping[TopicPartition, list[ConsumerRecord]]) -> None:
        touched = set()
        for partition, records in found.items():
            for record in records:
                if (one := self._given_up(record)) is not None:
                    name, last = one
                    self._told[name] = with_dead(self._of(name), last)
                    touched.add(name)
            if records:
                self._read_to[partition.partition] = records[-1].offset + 1
        if found:
            self._note_read_to()
        for name in touched:
            self._note(self._told[name])

    def _given_up(self, record: ConsumerRecord) -> tuple[str, LastDead] | None:
        """The subscription and the delivery. None for what ended with its endpoint, was no delivery, or was itself an alert: that
        its receiver fails is told by the receiver's own health."""
        headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
        name = headers.get(dead.SUBSCRIPTION)
        if name is None or name not in self._kinds or headers.get(dead.REASON) not in GIVEN_UP:
            return None
        if headers.get(dead.ORIGIN_TOPIC) == self._cluster.topics.alerts.name:
            return None
        try:
            event = read_event(record.value)
            attempts = int(headers[dead.ATTEMPTS])
        except (UnreadableEvent, KeyError, ValueError):
            return None  # not written by a worker: there is no delivery to name
        return name, LastDead(
            webhook_id=webhook_id(event.id, name),
            event_id=event.id,
            subject=event.subject,
            attempts=attempts,
            error=redaction.redact(headers.get(dead.ERROR, "")),  # an older version may have written it
            at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        )

    def _tell(self) -> None:
        now = self._clock.now()
        states = {state.subscription: state for state in self._states.unwell()}
        names = {*states, *(name for name, told in self._told.items() if told.dead is not None)}
        for name in names & self._kinds.keys():
            told, state = self._of(name), states.get(name) or self._states.state(name)
            if (kind := due(told, state, now, self._every)) is not None:
                self._write(kind, told, state, now)

    def _write(self, kind: AlertKind, told: Told, state: EndpointState, now: datetime) -> None:
        name = told.subscription
        event = alert(kind, told, state, self._kinds[name], now, self._disable_after)
        # an older version may have written what it tells of
        event = event.model_copy(update={"data": AlertData.model_validate(redaction.redact_all(event.data.model_dump()))})
        log.warning("%s (`%s`)", event.data.summary, event.data.remedy)
        self._told[name] = told_now(told, state, now)
        alerts = self._cluster.topics.alerts.name
        self._shard.add(Out(alerts, event.subject.encode(), event.to_json(), event.kafka_headers()))
        self._note(self._told[name])

    def _of(self, name: str) -> Told:
        return self._told.get(name) or Told(subscription=name)

    def _note(self, told: Told) -> None:
        self._shard.add(Out(self._topic, f"{_ENDPOINT}{told.subscription}".encode(), told.to_json(), []))

    def _note_read_to(self) -> None:
        self._shard.add(Out(self._topic, _READ_TO, ReadTo(offsets=self._read_to).to_json(), []))

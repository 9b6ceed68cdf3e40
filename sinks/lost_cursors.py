"""What a subscription had not had when its cursor became unreadable: told to operators, with the command that sends it again.

The subscription goes on at the common position. The record itself goes to the dead topic, the alert to `changecast.alerts` and a
tombstone to the topic of cursors, in one transaction: so it is told once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import ConsumerRecord, TopicPartition

from runtime.kafka import Cluster
from schemas.alert import ALERT_TYPE, AlertData, AlertEvent, AlertKind
from sinks import lag as lags
from sinks.answer import Kind
from sinks.lag import LostCursor
from sinks.shard import Out, Shard
from sinks.topics import lagging_topic

log = logging.getLogger(__name__)

_READ_MS = 5_000
"""The one record whose time begins the range is on the broker's disk; without it the range begins where the topic does."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What may not have been delivered: from `first` on, published at `since` (None: unknown), up to `end`."""

    first: int
    end: int
    since: datetime | None


async def report(
    cluster: Cluster,
    shard: Shard,
    lost: LostCursor,
    records: Sequence[ConsumerRecord],
    kinds: Mapping[str, Kind],
    now: datetime,
) -> None:
    """`records`: all that stand in the shard's partition of the topic of cursors."""
    name = lagging_topic(cluster.topics).name
    offset = next((record.offset for record in reversed(records) if record.key == lost.key), 0)
    shard.bury(lost.key, lost.value, reason="bad-cursor", error=lost.error, topic=name, offset=offset)
    shard.add(Out(name, lost.key, None, []))
    kind = kinds.get(lost.subscription)
    if kind is None or lost.topic not in shard.commons:
        log.warning(
            "%s-%d@%d is no cursor of a subscription, and goes to the dead topic: %s", name, shard.partition, offset, lost.error
        )
        return
    missed = await _missed(cluster, shard, lost, records)
    event = _alert(lost, shard.partition, missed, kind, now)
    log.warning("%s (`%s`)", event.data.summary, event.data.remedy)
    shard.add(Out(cluster.topics.alerts.name, event.subject.encode(), event.to_json(), event.kafka_headers()))


async def _missed(cluster: Cluster, shard: Shard, lost: LostCursor, records: Sequence[ConsumerRecord]) -> Missed:
    """A cursor only moves on: an older one that compaction has left is where the range begins at the earliest; else the topic is."""
    partition = TopicPartition(lost.topic, shard.partition)
    first = next(
        (known for record in reversed(records) if record.key == lost.key and (known := _offset(record.value)) is not None), 0
    )
    async with cluster.consumer(group_id=None) as consumer:
        consumer.assign([partition])
        first = max(first, (await consumer.beginning_offsets([partition]))[partition])
        end = max(shard.restored[lost.topic].offset, first)
        if first >= end:
            return Missed(first, end, None)
        consumer.seek(partition, first)
        found = await consumer.getmany(partition, timeout_ms=_READ_MS, max_records=1)
    since = next((datetime.fromtimestamp(one.timestamp / 1000, UTC) for batch in found.values() for one in batch), None)
    return Missed(first, end, since)


def _offset(value: bytes | None) -> int | None:
    try:
        return None if value is None else lags.restore(value, {}).tracker.position
    except (ValueError, lags.NewerCursor):
        return None


def _alert(lost: LostCursor, partition: int, missed: Missed, kind: Kind, now: datetime) -> AlertEvent:
    since = "14d" if missed.since is None else missed.since.strftime("%Y-%m-%dT%H:%M:%S")
    return AlertEvent(
        id=f"alert:{lost.subscription}:{AlertKind.CURSOR_LOST}:{lost.topic}:{partition}:{missed.first}-{missed.end}",
        type=f"{ALERT_TYPE}{AlertKind.CURSOR_LOST}",
        subject=f"changecast:endpoint:{lost.subscription}",
        time=now,
        data=AlertData(
            subscription=lost.subscription,
            endpoint=kind,
            summary=(
                f"The cursor of {lost.subscription} can't be read: of {lost.topic}, partition {partition}, the events from offset "
                f"{missed.first} up to {missed.end} may not have been delivered."
            ),
            remedy=f"changecast replay --subscription {lost.subscription} --since {since} --until {now:%Y-%m-%dT%H:%M:%S}",
            failing_since=None,
            failing_percent=0,
            disables_at=None,
            disabled_at=None,
            disabled_reason=None,
            dead=None,
        ),
    )

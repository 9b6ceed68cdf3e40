"""The topics that the sinks read and write beside the changes: retries by delay, and the cursors of lagging subscriptions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

from schemas.config.providers import PROVIDER_NAMES
from schemas.topics import Topic, Topics

PROVIDERS: Final = PROVIDER_NAMES

DELAYS: Final = (("1s", 1.0), ("5s", 5.0), ("30s", 30.0), ("5m", 300.0), ("30m", 1800.0), ("2h", 7200.0), ("10h", 36000.0))
"""A fixed set, whatever the schedules say. A wait is made of these: about 25 hops for the longest, a day and its jitter."""

_SEGMENT_BYTES = 16 * 1024 * 1024
"""delete_records frees whole segments: small ones go soon."""


def retry_topics(topics: Topics) -> dict[str, Topic]:
    """By delay, shortest first."""
    configs = {"segment.bytes": str(_SEGMENT_BYTES)}
    return {name: dataclasses.replace(topics.retry(name), configs=configs) for name, _ in DELAYS}


def lagging_topic(topics: Topics) -> Topic:
    """`changecast.lagging`: key `<subscription>/<topic>`, in the partition of the same number as that topic's; value: see `lag`."""
    return Topic(f"{topics.prefix}.lagging", topics.partitions, compacted=True)


def told_topic(topics: Topics) -> Topic:
    """`changecast.told`: what operators have been told of each endpoint; see `watch`."""
    return Topic(f"{topics.prefix}.told", 1, compacted=True)


def handover_topic(topics: Topics) -> Topic:
    """`changecast.handover`: answers to calls that were in flight when their partition moved; see `handover`. Kept as long as what the
    retries that wait for them can wait, were all workers stopped."""
    return dataclasses.replace(topics.alerts, name=f"{topics.prefix}.handover")


def leases_topic(topics: Topics) -> Topic:
    """`changecast.leases`: which worker may call which limited endpoint; see `lease_log`. Workers read it whole at their start, so it
    keeps little: what counts is repeated every few minutes (see `lease_member`)."""
    configs = {"segment.bytes": str(1 << 20), "segment.ms": str(600_000)}
    return Topic(f"{topics.prefix}.leases", 1, retention_ms=7_200_000, configs=configs)


def event_topics(topics: Topics) -> list[Topic]:
    """What holds events for subscriptions."""
    return [*(topics.changes(provider) for provider in PROVIDERS), topics.alerts]


def every_topic(topics: Topics) -> Iterator[Topic]:
    """All that a sinks worker touches."""
    yield from event_topics(topics)
    yield from (topics.endpoints, topics.deliveries, topics.dead, lagging_topic(topics), told_topic(topics))
    yield from (handover_topic(topics), leases_topic(topics))
    yield from retry_topics(topics).values()


def group_id(topics: Topics) -> str:
    return f"{topics.prefix}-sinks"


def transactional_id(topics: Topics, partition: int) -> str:
    """One for each partition number: its next owner fences the last one."""
    return f"{topics.prefix}-sinks-{partition}"


def beginning_id(topics: Topics) -> str:
    """The transactional id of whoever writes when new subscriptions begin; one for all workers."""
    return f"{topics.prefix}-sinks-beginning"

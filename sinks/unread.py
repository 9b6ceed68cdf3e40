"""Retries that a newer version of changecast wrote, in a form that this one can't know: they go round in the retry topics as they came,
until a worker of that version reads them."""

from __future__ import annotations

import logging
from collections import deque

from aiokafka import ConsumerRecord

from sinks.parcel import NewerParcel
from sinks.shard import Shard

log = logging.getLogger(__name__)

ROUND_S = 300.0
"""A roll-out takes minutes: once in so many seconds a record is written again."""
_DELAY = "5m"
_NOBODY = ""
"""No subscription has this name: a record whose subscription can't be read is held open under it."""


class UnreadRetries:
    """Of one shard. Times are Unix seconds."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._held: deque[tuple[float, ConsumerRecord]] = deque()
        self._was_told = False

    def hold(self, record: ConsumerRecord, newer: NewerParcel, now: float) -> None:
        if not self._was_told:
            log.warning("%s-%d@%d is passed on unread: %s", record.topic, record.partition, record.offset, newer)
        self._was_told = True
        self._shard.retries[record.topic].passed(record.offset, [_NOBODY])
        self._held.append((now + ROUND_S, record))

    def pass_on(self, now: float) -> None:
        """Write again those whose round is over."""
        while self._held and self._held[0][0] <= now:
            record = self._held.popleft()[1]
            self._shard.park_unread(_DELAY, record.key, record.value, list(record.headers))
            self._shard.retries[record.topic].settle(record.offset, _NOBODY)

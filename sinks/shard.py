"""Everything of one partition number: the changes of all providers, the retries that came of them, and the cursors of those that lag.

The partitions of one number have one owner, and one transactional producer, which fences the last owner. What the sinks do to Kafka
for a shard is one series of commits: offsets alone by the consumer group, offsets together with records in a transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer, TopicPartition

from schemas import dead
from schemas.topics import Topics
from sinks import lag as lags
from sinks.lag import Lag, LostCursor
from sinks.parcel import Parcel
from sinks.standing import Standing
from sinks.topics import group_id, lagging_topic, retry_topics
from sinks.tracker import Position, Tracker

log = logging.getLogger(__name__)

Commit = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Out:
    """A record to be written in the shard's next transaction. It goes to the partition of the shard's number."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Step:
    """What one commit writes: taken at one moment, so that offsets, records and cursors agree."""

    commons: dict[str, Commit]
    retries: dict[str, Commit]
    outs: list[Out]

    @property
    def is_plain(self) -> bool:
        return not self.outs and not self.retries


class Shard:
    """`leaving`: nothing more is read for it. `closed`: nothing more is written. `commons` and `retries`: trackers by topic.
    `restored`: what an earlier owner had settled, by topic. `inherited`: where the topics ended when it let go. `parked`: the retries
    known to be waiting or on their way, by subscription. `waits`: topics of which nothing can be read before a newer version does,
    and why."""

    def __init__(
        self,
        topics: Topics,
        partition: int,
        producer: AIOKafkaProducer,
        restored: dict[str, Position],
        inherited: Mapping[str, int] | None = None,
    ) -> None:
        self.partition = partition
        self.restored = restored
        self.leaving = False
        self.closed = False
        retry_names = {topic.name for topic in retry_topics(topics).values()}
        self.commons = {name: Tracker(at.offset, at) for name, at in restored.items() if name not in retry_names}
        self.retries = {name: Tracker(at.offset, at) for name, at in restored.items() if name in retry_names}
        self.lags: dict[tuple[str, str], Lag] = {}
        self.parked: Counter[str] = Counter()
        self.waits: dict[str, str] = {}
        self._inherited = inherited or {}
        self._begun: set[tuple[str, str]] = set()
        self._kept: set[str] = set()
        self._topics = topics
        self._retry_names = {delay: topic.name for delay, topic in retry_topics(topics).items()}
        self._producer = producer
        self._outs: list[Out] = []

    def restore_lags(
        self, records: Iterable[tuple[bytes | None, bytes]], standing: Callable[[str], Standing]
    ) -> list[LostCursor]:
        """The cursors that the last owner left. Those of subscriptions that were removed are taken away; of a topic with a cursor that
        only a newer version can read nothing is read. Returns those that nobody can read."""
        lost = []
        for key, value in records:
            try:
                found = lags.restore(value, self.restored)
            except lags.NewerCursor as newer:
                self.waits[lags.named_in(key)[1]] = str(newer)
                continue
            except ValueError as error:
                lost.append(LostCursor(*lags.named_in(key), key, value, str(error)))
                continue
            if found.topic not in self.commons:
                continue  # a newer version reads more topics
            if standing(found.subscription) in (Standing.REMOVED, Standing.FORGOTTEN):
                self._told_dropped(found.subscription, found.topic)
                self._outs.append(Out(lagging_topic(self._topics).name, key, None, []))
                continue
            self._begun.add((found.subscription, found.topic))
            if not found.ended:
                self.lags[found.subscription, found.topic] = found
        return lost

    def begin(self, subscription: str, topic: str, offset: int) -> None:
        """A subscription that is new, and is to have what was published from `offset` on, although the common stream is further.
        That it has begun is kept, so that it begins once."""
        self._kept.add(subscription)
        if (subscription, topic) in self._begun or topic in self.waits:
            return
        common = self.restored[topic]
        start = min(offset, common.offset)
        # what the common stream reads again counts as settled for whoever was not there the first time
        until = start if offset >= common.upto else None
        self.lags[subscription, topic] = Lag(subscription, topic, Tracker(start), until=until)

    def keep(self, subscription: str, topic: str, offset: int | None = None) -> None:
        """A subscription that this worker does not have, and another may, or may again: its place in the topic becomes a cursor, which
        nobody reads until it is served. `offset`: where it begins, for one that nobody has served in this partition."""
        if (subscription, topic) in self.lags or topic in self.waits:
            return
        if offset is None:
            own = self.restored[topic].of(subscription)
            tracker = Tracker(own.offset, own)
        else:
            tracker = Tracker(min(offset, self.commons[topic].position))
        self._begun.add((subscription, topic))
        self.lags[subscription, topic] = Lag(subscription, topic, tracker)

    def drop(self, subscription: str) -> None:
        """Nothing more is kept of its place."""
        for key in [key for key in self._begun | self.lags.keys() if key[0] == subscription]:
            self._begun.discard(key)
            if self.lags.pop(key, None) is not None:
                self._told_dropped(*key)
            self._outs.append(Out(lagging_topic(self._topics).name, lags.lag_key(*key), None, []))

    def _told_dropped(self, subscription: str, topic: str) -> None:
        log.warning("subscription %s was removed: its place in %s-%d is dropped", subscription, topic, self.partition)

    def serves(self, subscription: str, topic: str, offset: int) -> bool:
        """Whether the common stream is where this subscription gets the event at `offset`."""
        lag = self.lags.get((subscription, topic))
        return lag is None or (lag.until is not None and offset >= lag.until)

    def detach(self, subscription: str, topic: str, offset: int) -> Lag:
        """From `offset` on, and for all that is open before it, the subscription has a cursor of its own."""
        common = self.commons[topic]
        held = common.open_of(subscription)
        lag = self.lags.get((subscription, topic))
        if lag is None:
            lag = self.lags[subscription, topic] = Lag(subscription, topic, Tracker(offset))
        lag.tracker.position = max(lag.tracker.position, offset)
        # an earlier process may have settled some of what comes
        lag.tracker.restored = self.restored[topic].of(subscription)
        lag.tracker.adopt(held, subscription)
        lag.until = None
        lag.dirty = True
        for each in held:
            common.settle(each, subscription)
        log.info("%s lags behind in %s-%d: it goes on at its own cursor", subscription, topic, self.partition)
        return lag

    def freeze(self, subscription: str) -> None:
        """What waits for it in memory is dropped: it is read again at its cursors, also where only the last of one was still to end."""
        for topic, common in self.commons.items():
            lag = self.lags.get((subscription, topic))
            is_ending = lag is not None and lag.until is not None and lag.tracker.open_count > 0
            if is_ending or common.open_of(subscription):
                self.detach(subscription, topic, common.position)
            if (lag := self.lags.get((subscription, topic))) is not None:
                lag.stale = True

    def has_caught_up(self, lag: Lag) -> bool:
        """Whether the common stream can serve it. Not while that reads again what an earlier process had read: it counts as settled
        there for whoever had a cursor of its own, and has perhaps not been delivered at that cursor."""
        common = self.commons[lag.topic]
        return not (lag.tracker.rereads or common.rereads) and lag.tracker.position >= common.position

    def attach(self, lag: Lag) -> None:
        """It has caught up with the common stream, and is served by it."""
        lag.until = max(self.commons[lag.topic].position, lag.tracker.position)
        lag.dirty = True
        log.info("%s has caught up in %s-%d", lag.subscription, lag.topic, self.partition)

    def settle(self, topic: str, offset: int, subscription: str) -> None:
        """A delivery has ended. What it is held by, the common stream, a cursor or a retry, is found here."""
        if (retry := self.retries.get(topic)) is not None:
            self.parked[subscription] -= retry.settle(offset, subscription)
            return
        self.commons[topic].settle(offset, subscription)
        if (lag := self.lags.get((subscription, topic))) is not None:
            lag.tracker.settle(offset, subscription)
            lag.dirty = True

    def park(self, parcel: Parcel, now: float) -> None:
        """A delivery is due later: into the retry topic of the longest delay that is not too long."""
        self._park(*parcel.placed(now))

    def park_kept(self, parcel: Parcel, now: float, until: float) -> None:
        """One is due, and its subscription is not served here: it waits on, to `until` at most."""
        self._park(*parcel.kept(now, until))

    def _park(self, delay: str, placed: Parcel) -> None:
        if placed.attempts:
            self.parked[placed.subscription] += 1
        self._outs.append(Out(self._retry_names[delay], placed.subscription.encode(), placed.value, placed.headers()))

    def park_unread(self, delay: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        """A retry that only a newer version can read, as it came."""
        self._outs.append(Out(self._retry_names[delay], key, value, headers))

    def found(self, parcel: Parcel, topic: str, offset: int) -> None:
        """A retry has been read from its topic. It counts as parked from here on, unless this shard has written and counted it: what an
        operator wants sent again, with no attempts behind it, was written elsewhere."""
        self.retries[topic].passed(offset, [parcel.subscription])
        if not parcel.attempts or offset < self._inherited.get(topic, 0):
            self.parked[parcel.subscription] += 1

    def bury(
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        reason: str,
        error: str,
        topic: str,
        offset: int,
        attempts: int = 0,
        subscription: str | None = None,
    ) -> None:
        """Into `changecast.dead`, as it came, with its origin."""
        headers = dead.headers(
            reason=reason,
            error=error,
            topic=topic,
            partition=self.partition,
            offset=offset,
            attempts=attempts,
            subscription=subscription,
        )
        self._outs.append(Out(self._topics.dead.name, key, value, headers))

    def add(self, out: Out) -> None:
        """Into the next transaction. What is added without an await in between is written together."""
        self._outs.append(out)

    def crowded(self) -> list[tuple[str, str]]:
        """(subscription, topic) of those that hold back so much that a commit could not name it all."""
        return [(tracker.by_open()[0], topic) for topic, tracker in self.commons.items() if tracker.crowded]

    def step(self) -> Step | None:
        """What is to be committed now, or None. From here on it counts as being written."""
        commons = {topic: commit for topic, tracker in self.commons.items() if (commit := tracker.uncommitted()) is not None}
        retries = {topic: commit for topic, tracker in self.retries.items() if (commit := tracker.uncommitted()) is not None}
        outs = self._outs
        self._outs = []
        for key, lag in list(self.lags.items()):
            if lag.done(self.commons[lag.topic].position):
                del self.lags[key]
                kept = lag.to_json() if lag.subscription in self._kept else None
                outs.append(Out(lagging_topic(self._topics).name, lags.lag_key(*key), kept, []))
            elif lag.dirty:
                lag.dirty = False
                outs.append(Out(lagging_topic(self._topics).name, lags.lag_key(*key), lag.to_json(), []))
        return Step(commons, retries, outs) if commons or retries or outs else None

    async def write(self, step: Step) -> None:
        """Records, cursors and offsets in one transaction. Raises KafkaError; then nothing of it is written."""
        partition = self.partition
        try:
            async with self._producer.transaction():
                sent = [
                    await self._producer.send(out.topic, out.value, key=out.key, partition=partition, headers=out.headers)
                    for out in step.outs
                ]
                # aiokafka commits over a record that the broker has refused: each must be known to be there
                await asyncio.gather(*sent)
                offsets = {TopicPartition(topic, partition): commit for topic, commit in {**step.commons, **step.retries}.items()}
                if offsets:
                    await self._producer.send_offsets_to_transaction(offsets, group_id(self._topics))
        except BaseException:
            # what the step held counts as settled here, and is not: nothing may be committed after it
            self.leaving = self.closed = True
            raise
        self.written(step)

    def written(self, step: Step) -> None:
        for topic, commit in step.commons.items():
            self.commons[topic].committed(commit)
        for topic, commit in step.retries.items():
            self.retries[topic].committed(commit)

    async def aclose(self) -> None:
        self.leaving = self.closed = True
        await self._producer.stop()

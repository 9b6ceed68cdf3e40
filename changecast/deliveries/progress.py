"""How far the sinks have come, by what they have committed: whether an event's first attempt at a subscription is still to end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from changecast.deliveries.matching import Seen
from runtime.kafka import Cluster
from runtime.offsets import committed_offsets
from runtime.topics import read_to_end
from sinks.lag import Lag, lag_key, restore
from sinks.topics import group_id, lagging_topic
from sinks.tracker import Position, decode

_Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True)
class Progress:
    """`common`: where the stream that all subscriptions share is. `lags`: the cursors of those that can't keep up."""

    common: Mapping[_Place, Position]
    lags: Mapping[tuple[str, _Place], Lag]

    def open_words(self, subscription: str, seen: Seen) -> str | None:
        """Where the event waits for the subscription; None where it is settled: delivered, to be tried again, ended, or not wanted."""
        place = (seen.topic, seen.partition)
        common, lag = self.common[place], self.lags.get((subscription, place))
        if lag is not None:
            behind = "the subscription can't keep up, and reads on behind the others"
            return behind if lag.leaves_open(seen.offset) else None
        if not common.leaves_open(seen.offset, subscription):
            return None
        if seen.offset >= common.upto:
            return "the sinks have not come to it"
        return "it is in its endpoint's queue, or on its way"


async def progress_of(cluster: Cluster, subscriptions: Iterable[str], events: Iterable[Seen]) -> Progress:
    """Where these events are concerned."""
    places = {(seen.topic, seen.partition) for seen in events}
    partitions = [TopicPartition(*place) for place in places]
    committed = await committed_offsets(cluster, group_id(cluster.topics), partitions)
    common = {
        (partition.topic, partition.partition): Position(0, 0) if commit is None else decode(commit.offset, commit.metadata)
        for partition, commit in committed.items()
    }
    # a cursor stands in the partition of the same number as what it reads
    known = {(lag_key(name, place[0]), place[1]): (name, place) for name in subscriptions for place in places}
    cursors: dict[tuple[str, _Place], bytes] = {}
    async for record in read_to_end(cluster, lagging_topic(cluster.topics).name):
        if (named := known.get((record.key or b"", record.partition))) is None:
            continue
        if record.value is None:
            cursors.pop(named, None)
        else:
            cursors[named] = record.value
    lags = {(name, place): restore(value, {place[0]: common[place]}) for (name, place), value in cursors.items()}
    return Progress(common, {named: lag for named, lag in lags.items() if not lag.ended})

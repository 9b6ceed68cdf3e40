"""What the streams worker tells of itself when it is asked: its lanes as they stand, and what reading entities costs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import TopicPartition

from runtime.amounts import amount
from runtime.metrics import Histogram, Reading, names
from runtime.rate import RateLimit
from schemas.event import Status
from streams.app import StreamsApp
from streams.lane import Lane


class StreamsMetrics:
    """The worker notes what it has, once it has it. `idle`: there is no provider to work for."""

    def __init__(self) -> None:
        self.app: StreamsApp | None = None
        self.rates: Mapping[str, RateLimit] = {}
        self.idle = False

    def waits_for(self) -> str | None:
        if self.idle:
            return None
        if self.app is None or not self.app.joined:
            return "Kafka"
        unopened = len(self.app.unopened())
        return f"the state of {amount(unopened, 'partition')}" if unopened else None

    async def read(self) -> Reading:
        reading = Reading(names.OF_PART["streams"])
        if (app := self.app) is not None:
            asked = list(app.lanes())
            lags = dict(zip(asked, await asyncio.gather(*(app.lag(tp) for tp in asked)), strict=True))
            # asked again: a partition may have gone meanwhile, and its store with it
            for tp, lane in app.lanes().items():
                _lane(reading, app, tp, lane, lags.get(tp))
            _providers(reading, app)
        for provider, rate in self.rates.items():
            reading.put_budget(provider, rate)
        return reading


def _lane(reading: Reading, app: StreamsApp, tp: TopicPartition, lane: Lane, lag: int | None) -> None:
    place, counts, statistics = (app.provider_of(tp), tp.partition), lane.counts, lane.work.statistics()
    reading.put(names.STREAMS_LAG, lag, *place)
    reading.put(names.STREAMS_STOPPED, app.stopped(tp), *place)
    reading.put(names.STREAMS_EVENTS, counts.events, *place)
    reading.put(names.STREAMS_REPEATS, counts.repeats, *place)
    reading.put(names.STREAMS_DEAD, counts.dead, *place)
    for status in Status:
        reading.put(names.STREAMS_PUBLISHED, counts.published[status], *place, status)
    reading.put(names.STREAMS_WAITING, statistics.waiting, *place)
    reading.put(names.KNOWN_IDS, statistics.ids, *place)
    if statistics.oldest_id_ms is not None:
        reading.put(names.OLDEST_ID, statistics.oldest_id_ms / 1000, *place)
    reading.put(names.KNOWN_IDS_BYTES, statistics.ids_bytes, *place)
    reading.put(names.SNAPSHOTS_BYTES, statistics.snapshots_bytes, *place)


def _providers(reading: Reading, app: StreamsApp) -> None:
    for provider, place in app.places.items():
        lanes: Iterable[Lane] = (lane for tp, lane in app.lanes().items() if app.provider_of(tp) == provider)
        whole = Histogram().add(lane.transactions for lane in lanes)
        reading.put_histogram(names.TRANSACTION_SECONDS, whole, provider)
        for ended, seconds in place.reader.fetches.items():
            reading.put_histogram(names.FETCH_SECONDS, seconds, provider, ended)

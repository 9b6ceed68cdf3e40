"""What the producers worker tells of itself when it is asked: its feeds as their reports stand, and the budgets that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from producers.report import FeedReport
from runtime.clock import Clock
from runtime.metrics import Reading, names
from runtime.rate import RateLimit
from schemas.feed_status import FeedState


class ProducersMetrics:
    """The worker notes what it has: `reports` and `rates` while it leads, empty while it stands by."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.joined = False
        self.reports: Sequence[FeedReport] = ()
        self.rates: Mapping[str, RateLimit] = {}

    def waits_for(self) -> str | None:
        return None if self.joined else "Kafka"

    async def read(self) -> Reading:
        reading = Reading(names.OF_PART["producers"])
        reading.put(names.LEADING, bool(self.reports))
        for report in self.reports:
            self._feed(reading, report)
        for provider, rate in self.rates.items():
            reading.put_budget(provider, rate)
        return reading

    def _feed(self, reading: Reading, report: FeedReport) -> None:
        feed = report.provider, report.feed
        if report.cursor is not None:
            behind = (self._clock.now() - report.cursor.read_to).total_seconds()
            reading.put(names.FEED_LAG, max(behind, 0.0), *feed)
        if report.polled_at is not None:
            reading.put(names.FEED_POLLED, report.polled_at.timestamp(), *feed)
        for state in FeedState:
            reading.put(names.FEED_STATE, state is report.state, *feed, state)
        reading.put(names.FEED_REQUESTS, report.spending.requests, *feed)
        reading.put(names.FEED_EVENTS, report.events, *feed)
        for reason, count in report.broken.items():
            reading.put(names.FEED_BROKEN, count, *feed, reason)
        for kind, count in report.errors.items():
            reading.put(names.FEED_ERRORS, count, *feed, kind)
        reading.put(names.SWEEP_AGE, report.statistics.get("sweep_age_s"), *feed)

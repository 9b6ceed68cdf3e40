"""What one feed is doing, noted by its poller as it happens, and told as a status when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from producers.interface import Feed, Telling
from producers.spending import Spending
from runtime.clock import Clock
from runtime.http import BadResponse, CredentialsRejected, ProviderUnavailable
from schemas import redaction
from schemas.cursor import Cursor
from schemas.feed_status import FeedState, FeedStatus

CATCHING_UP_AFTER = timedelta(hours=1)
"""Behind by more than this, a feed is catching up: longer than any provider's poll takes from one end to the other."""
_ERROR_BYTES = 500
_KINDS = ((ProviderUnavailable, "unavailable"), (CredentialsRejected, "rejected"), (BadResponse, "bad-response"))
_FAULT, KAFKA = "fault", "kafka"
"""A fault is ours. Kafka's own errors are counted beside those of polls."""
ERROR_KINDS = (*(word for _, word in _KINDS), _FAULT, KAFKA)

BROKEN_REASONS = ("bad-item", "bad-json", "bad-page", "bad-response", "no-entity-id", "too-large")
"""Each is counted from 0: where a series begins at 1, its first increase would not be seen."""


class FeedReport:
    """The poller tells, the status board and the metrics ask. `on_change` is called when the state has changed."""

    def __init__(self, provider: str, feed: Feed, clock: Clock, on_change: Callable[[], None] = lambda: None) -> None:
        self.provider = provider
        self.feed = feed.name
        self.spending = Spending()
        self.events = 0
        self.broken: Counter[str] = Counter(dict.fromkeys(BROKEN_REASONS, 0))
        self.errors = dict.fromkeys(ERROR_KINDS, 0)
        self.polled_at: datetime | None = None
        self.cursor: Cursor | None = None
        self._feed = feed
        self._clock = clock
        self._on_change = on_change
        self._state = FeedState.WAITING
        self._until: datetime | None = None
        self._error: str | None = None
        self._error_at: datetime | None = None
        self._started_at = clock.now()

    def polling(self) -> None:
        self._enter(FeedState.POLLING)

    def polled(self, next_in_s: float) -> None:
        """A poll has come to its end; the next begins in so many seconds."""
        self.polled_at = self._clock.now()
        if next_in_s > 0:
            self._enter(FeedState.WAITING, next_in_s)

    def failed(self, error: Exception, next_in_s: float, state: FeedState = FeedState.RETRYING) -> None:
        self.errors[next((word for kind, word in _KINDS if isinstance(error, kind)), _FAULT)] += 1
        self._error, self._error_at = redaction.excerpt(str(error), _ERROR_BYTES), self._clock.now()
        self._enter(state, next_in_s)

    def stopped(self) -> None:
        self._enter(FeedState.STOPPED)

    def _enter(self, state: FeedState, for_s: float | None = None) -> None:
        changed = state is not self._state
        self._state = state
        self._until = None if for_s is None else self._clock.now() + timedelta(seconds=for_s)
        if changed:
            self._on_change()

    @property
    def state(self) -> FeedState:
        behind = self.cursor is not None and self._clock.now() - self.cursor.read_to > CATCHING_UP_AFTER
        return FeedState.CATCHING_UP if self._state is FeedState.POLLING and behind else self._state

    @property
    def statistics(self) -> Mapping[str, float]:
        """What the feed itself has to tell."""
        return self._feed.statistics() if isinstance(self._feed, Telling) else {}

    def status(self, worker: str, rate: float | None) -> FeedStatus:
        return FeedStatus(
            provider=self.provider,
            feed=self.feed,
            state=self.state,
            until=self._until,
            polled_at=self.polled_at,
            error=self._error,
            error_at=self._error_at,
            requests=self.spending.requests,
            events=self.events,
            rate=rate,
            statistics=dict(self.statistics),
            worker=worker,
            started_at=self._started_at,
            at=self._clock.now(),
        )

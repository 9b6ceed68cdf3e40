"""The closed list of metrics: what a worker's page can hold, each with a line that explains it.

Names follow Prometheus' conventions: base units, `_total` for counters, times as Unix seconds. Labels have few values, all of them known
from the config or from this code: never an address, an entity, or anything that could hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Metric:
    """`labels` in the order in which `Reading.put` takes their values."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


def _counter(name: str, labels: str, meaning: str) -> Metric:
    return Metric(name, "counter", tuple(labels.split()), meaning)


def _gauge(name: str, labels: str, meaning: str) -> Metric:
    return Metric(name, "gauge", tuple(labels.split()), meaning)


def _histogram(name: str, labels: str, meaning: str) -> Metric:
    return Metric(name, "histogram", tuple(labels.split()), meaning)


BUDGET = _gauge(
    "changecast_provider_budget_requests_per_second",
    "provider",
    "Requests a second that this worker may send to the provider.",
)
REQUESTS = _counter("changecast_provider_requests_total", "provider", "Requests sent to the provider, of all kinds.")
PAUSED = _gauge(
    "changecast_provider_paused_seconds",
    "provider",
    "For so long nothing more is sent to the provider, since it asked for it (429, Retry-After). 0: it is not paused.",
)

LEADING = _gauge("changecast_producers_leading", "", "1 where this worker polls the providers, 0 where it stands by.")
FEED_LAG = _gauge(
    "changecast_feed_lag_seconds",
    "provider feed",
    "How far behind now the feed has been read without a gap. Absent before its first page.",
)
FEED_POLLED = _gauge(
    "changecast_feed_last_success_timestamp_seconds", "provider feed", "When a poll last came to its end without an error."
)
FEED_STATE = _gauge(
    "changecast_feed_state",
    "provider feed state",
    "1 for the state the feed is in, 0 for the others: the states of `changecast provider list`.",
)
FEED_REQUESTS = _counter("changecast_feed_requests_total", "provider feed", "Requests spent on polling the feed.")
FEED_EVENTS = _counter("changecast_feed_events_total", "provider feed", "Events written to changecast.raw.*.")
FEED_BROKEN = _counter(
    "changecast_feed_broken_total",
    "provider feed reason",
    "Pages and items that could not be read, and went to changecast.dead, each once: bad-item, bad-json, bad-page, bad-response, "
    "no-entity-id, too-large.",
)
FEED_ERRORS = _counter(
    "changecast_feed_errors_total",
    "provider feed kind",
    "Polls that ended early: unavailable, rejected (the credentials), bad-response, fault (of ours), kafka.",
)
SWEEP_AGE = _gauge(
    "changecast_feed_sweep_age_seconds",
    "provider feed",
    "TMDB: how long ago the listed entity that has waited longest was asked for its changes.",
)

STREAMS_EVENTS = _counter("changecast_streams_events_total", "provider partition", "Events taken from changecast.raw.*.")
STREAMS_REPEATS = _counter("changecast_streams_repeats_total", "provider partition", "Repeats among them, which are dropped.")
STREAMS_PUBLISHED = _counter(
    "changecast_streams_published_total",
    "provider partition status",
    "Events published to changecast.changes.*, by the status of their enrichment.",
)
STREAMS_DEAD = _counter("changecast_streams_dead_total", "provider partition", "Events that went to changecast.dead.")
STREAMS_WAITING = _gauge(
    "changecast_streams_waiting_events",
    "provider partition",
    "Events that wait for the provider's answer, deferred or about to be.",
)
STREAMS_LAG = _gauge(
    "changecast_streams_lag_records",
    "provider partition",
    "Records of changecast.raw.* behind the committed offset; markers between them count too. 0 when all has been taken.",
)
STREAMS_STOPPED = _gauge(
    "changecast_streams_stopped",
    "provider partition",
    "1 where the partition has stopped, since too many of its events could not be processed.",
)
KNOWN_IDS = _gauge(
    "changecast_streams_known_ids", "provider partition", "Event ids that dedupe knows. Absent until they have been counted once."
)
OLDEST_ID = _gauge(
    "changecast_streams_oldest_known_id_timestamp_seconds",
    "provider partition",
    "The oldest known id's first sight, in the feed's own time.",
)
KNOWN_IDS_BYTES = _gauge(
    "changecast_streams_known_ids_bytes", "provider partition", "Their size on disk, as RocksDB estimates it."
)
SNAPSHOTS_BYTES = _gauge(
    "changecast_streams_snapshots_bytes", "provider partition", "The snapshots' size on disk, as RocksDB estimates it."
)
FETCH_SECONDS = _histogram(
    "changecast_streams_fetch_seconds",
    "provider outcome",
    "Fetches of entities, with their wait for the budget: fetched, refused (403, 404), nothing (to be had for the type), failed.",
)
TRANSACTION_SECONDS = _histogram(
    "changecast_streams_transaction_seconds", "provider", "Transactions that publish events and commit their offset."
)

ALERTS = "alerts"
"""Stands for a provider where it is alerts to operators that the sinks read."""
SINKS_EVENTS = _counter(
    "changecast_sinks_events_total", "provider", "Events taken from changecast.changes.*, and as `alerts` from changecast.alerts."
)
SINKS_LAG = _gauge(
    "changecast_sinks_lag_records",
    "provider partition",
    "Records of changecast.changes.* (`alerts`: of changecast.alerts) behind the committed offset; markers between them count too. "
    "0 when all is settled.",
)
JOURNAL_LOST = _counter(
    "changecast_sinks_unrecorded_attempts_total",
    "",
    "Attempts that are missing from changecast.deliveries, since Kafka was away.",
)
DELIVERIES = _counter(
    "changecast_deliveries_total",
    "subscription outcome",
    "Attempts by what became of them: delivered, retry, dead, disabled, as in `changecast deliveries list`.",
)
ATTEMPT_SECONDS = _histogram(
    "changecast_delivery_attempt_seconds", "subscription", "Calls of the endpoint. One call of Slack may hold several events."
)
QUEUED = _gauge("changecast_deliveries_queued", "subscription", "Deliveries in memory that wait for the endpoint.")
OLDEST_WAIT = _gauge(
    "changecast_deliveries_oldest_wait_seconds",
    "subscription",
    "How long the first attempt that has waited longest is in that queue.",
)
IN_FLIGHT = _gauge("changecast_deliveries_in_flight", "subscription", "Deliveries that wait for the endpoint's answer.")
PARKED = _gauge(
    "changecast_deliveries_parked",
    "subscription",
    "Deliveries to be tried again. What another worker left behind is counted as it is read, a few hundred ahead of its time.",
)
SUBSCRIPTION_LAG = _gauge(
    "changecast_subscription_lag_records",
    "subscription",
    "Records between a subscription that could not keep up and the common stream. 0: it keeps up.",
)
BREAKER_OPEN = _gauge(
    "changecast_endpoint_breaker_open",
    "subscription",
    "1 while the endpoint is left alone or probed, since most attempts failed.",
)
DISABLED = _gauge(
    "changecast_endpoint_disabled", "subscription", "1 where nothing is delivered until `changecast endpoints enable`."
)
WHEN_ERRORS = _counter(
    "changecast_when_errors_total", "subscription", "Events on which the subscription's `when` failed, which counts as no match."
)

_PROVIDER = (BUDGET, REQUESTS, PAUSED)
OF_PART: dict[str, tuple[Metric, ...]] = {
    "producers": (
        LEADING,
        FEED_LAG,
        FEED_POLLED,
        FEED_STATE,
        FEED_REQUESTS,
        FEED_EVENTS,
        FEED_BROKEN,
        FEED_ERRORS,
        SWEEP_AGE,
        *_PROVIDER,
    ),
    "streams": (
        STREAMS_LAG,
        STREAMS_EVENTS,
        STREAMS_REPEATS,
        STREAMS_PUBLISHED,
        STREAMS_DEAD,
        STREAMS_WAITING,
        STREAMS_STOPPED,
        KNOWN_IDS,
        OLDEST_ID,
        KNOWN_IDS_BYTES,
        SNAPSHOTS_BYTES,
        FETCH_SECONDS,
        TRANSACTION_SECONDS,
        *_PROVIDER,
    ),
    "sinks": (
        SINKS_LAG,
        SINKS_EVENTS,
        DELIVERIES,
        ATTEMPT_SECONDS,
        QUEUED,
        OLDEST_WAIT,
        IN_FLIGHT,
        PARKED,
        SUBSCRIPTION_LAG,
        BREAKER_OPEN,
        DISABLED,
        WHEN_ERRORS,
        JOURNAL_LOST,
    ),
}
"""What each part's page holds. Beside it stand the client's own `process_*`, on Linux: memory, CPU, open files."""

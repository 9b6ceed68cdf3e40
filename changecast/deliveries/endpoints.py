"""The endpoints' states in `changecast.endpoints`, for operators: read, and written as the workers write them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from changecast.deliveries.attempts import Counts
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from schemas.config import Config
from schemas.delivery import EndpointState
from sinks.topics import group_id

log = logging.getLogger(__name__)

BY_HAND = "disabled by hand"


@dataclass(frozen=True)
class EndpointView:
    """A subscription's endpoint. `kind` None: the config has no such subscription any more. `state` None: no worker has served it yet.
    `waiting`: deliveries that wait for their next attempt; None where that was not counted."""

    name: str
    kind: str | None
    state: EndpointState | None
    counts: Counts
    waiting: int | None = None

    def word(self) -> str:
        """`ok`, `failing`, `disabled`, `not served yet`, `not in the config`, `removed`: in no worker's config either."""
        if self.kind is None:
            return "not in the config" if self.state is None or self.state.removed_at is None else "removed"
        if self.state is None:
            return "not served yet"
        if self.state.disabled_at is not None:
            return "disabled"
        return "failing" if self.state.failing_since is not None or self.counts.failing else "ok"

    def as_json(self) -> dict[str, Any]:
        counts, state = self.counts, self.state
        return {
            "subscription": self.name,
            "kind": self.kind,
            "status": self.word(),
            "state": None if state is None else _as_json(state),
            "waiting": self.waiting,
            "counts": {
                "delivered": counts.delivered,
                "retried": counts.retried,
                "dead": counts.dead,
                "median_ms": counts.median_ms,
                "last_delivered": counts.last_delivered,
                "last_error": counts.last_error,
            },
        }


def _as_json(state: EndpointState) -> dict[str, Any]:
    removed_at = None if state.removed_at is None else state.removed_at.isoformat()
    return {**state.model_dump(mode="json", exclude={"subscription"}), "removed_at": removed_at}


def views(
    config: Config, states: Mapping[str, EndpointState], counts: Mapping[str, Counts], waiting: Mapping[str, int] | None
) -> list[EndpointView]:
    """In the config's order; those that only the topics know come last. `waiting` None: not counted."""
    kinds: dict[str, str | None] = {one.name: "slack" if one.slack else "webhook" for one in config.subscriptions}
    names = [*kinds, *sorted({*states, *(waiting or ())} - set(kinds))]
    return [
        EndpointView(
            name,
            kinds.get(name),
            states.get(name),
            counts.get(name, Counts()),
            None if waiting is None else waiting.get(name, 0),
        )
        for name in names
    ]


async def endpoint_states(cluster: Cluster) -> dict[str, EndpointState]:
    """By subscription, as they were last written."""
    states: dict[str, EndpointState] = {}
    async for record in read_to_end(cluster, cluster.topics.endpoints.name):
        name = (record.key or b"").decode("utf-8", "replace")
        if record.value is None:
            states.pop(name, None)
            continue
        try:
            state = EndpointState.read(record.value, record.headers)
        except ValueError as error:
            log.warning("%s-%d@%d is no endpoint state: %s", record.topic, record.partition, record.offset, error)
            continue
        states[name] = state
    return states


def disabled(state: EndpointState, now: datetime, reason: str) -> EndpointState:
    return state.model_copy(update={"disabled_at": now, "disabled_reason": reason})


def enabled(state: EndpointState) -> EndpointState:
    """Its failures begin anew: one more must not disable it again."""
    well = {"disabled_at": None, "disabled_reason": None, "failing_since": None, "failing_percent": 0}
    return state.model_copy(update=well)


async def write(cluster: Cluster, states: Iterable[EndpointState]) -> None:
    """For all workers, which follow the topic."""
    await ensure_topics(cluster, [cluster.topics.endpoints])
    async with cluster.producer() as producer:
        for state in states:
            key, topic = state.subscription.encode(), cluster.topics.endpoints.name
            await producer.send_and_wait(topic, state.to_json(), key=key, headers=state.headers())


async def forget(cluster: Cluster, subscription: str) -> None:
    """The workers drop its retries and its place."""
    async with cluster.producer() as producer:
        await producer.send_and_wait(cluster.topics.endpoints.name, None, key=subscription.encode())


async def sinks_run(cluster: Cluster) -> bool:
    """Whether a sinks worker is there to deliver."""
    async with cluster.admin() as admin:
        for response in await admin.describe_consumer_groups([group_id(cluster.topics)]):
            for _, _, state, *_ in response.groups:
                return str(state) not in ("Empty", "Dead")
    return False


HOUR = timedelta(hours=1)

"""The sinks worker: delivers what is in `changecast.changes.*` to the subscriptions of the config."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
from collections.abc import Coroutine
from random import Random
from typing import Any

from aiokafka.errors import KafkaError

from runtime.backoff import Backoff
from runtime.clock import Clock, SystemClock
from runtime.descriptors import soft_limit
from runtime.kafka import Cluster
from runtime.metrics import exporting
from runtime.outbound import Outbound
from runtime.pulse import Pulse
from runtime.topics import ensure_topics
from schemas.config import Config
from schemas.delivery import EndpointState
from sinks.answer import Kind
from sinks.assignor import Assignor
from sinks.budget import Budget, Slots
from sinks.client import Client
from sinks.commits import Commits
from sinks.directory import Directory
from sinks.endpoint import Endpoint
from sinks.feed import Feed
from sinks.handover import HAND_OVER_S, Handover
from sinks.journal import BATCH_BYTES, Journal
from sinks.leases import Leases
from sinks.limits import limits_of
from sinks.metrics import Engine, SinksMetrics
from sinks.ownership import Ownership
from sinks.retry import RetryPolicy
from sinks.returns import Returns, window_bytes
from sinks.senders import bounds_of, sender_of
from sinks.settle import Settler
from sinks.shard import Shard
from sinks.standing import Standing
from sinks.states import EndpointStates
from sinks.topics import event_topics, every_topic, group_id
from sinks.trail import Trail
from sinks.watch import WATCHING, Watch

log = logging.getLogger(__name__)

_LAST_CALL_S = 1.0
"""After `delivery.timeout` every call has its answer, and needs a moment to be noted."""
_REBALANCE_MS = 30_000
"""A worker that has not given up its partitions by then is left out of the group. It needs `HAND_OVER_S` and a commit, whatever
`delivery.timeout` is."""
_FETCH_WAIT_MS = 100
"""While aiokafka holds records that nobody has taken for a tenth of a second, it asks for the other partitions alone, and the answer
must come before it asks for all again: with the default of 500 ms, a moment's hold-up becomes half a second for what came meanwhile."""
_MEMORY_RESERVE = 1024 * 1024
"""Of each endpoint, in bytes of its queue: some hundred events, so that it is never idle while others hold all the rest."""
_CONNECTIONS_RESERVE = 8
_DESCRIPTORS_PER_CONNECTION = 2
"""The other half is for connections that are idle, for Kafka's, and for files."""
_COLLECT_AFTER = (10_000, 20, 20)
_TIDY_EVERY_S = 1.0
_HELD_BACK_S = 10.0
"""A delivery that has waited so long in a queue no longer holds back the common stream's offset."""


async def run(config: Config, cluster: Cluster, stop: asyncio.Event) -> None:
    """Until `stop` is set. Trouble with Kafka starts it again from what is committed. Raises signing.BadSecret at once."""
    _calm_collector()
    metrics = SinksMetrics(cluster.topics, SystemClock())
    async with exporting(config.metrics, metrics):
        await _live_on(config, cluster, stop, metrics)


async def _live_on(config: Config, cluster: Cluster, stop: asyncio.Event, metrics: SinksMetrics) -> None:
    clock, random = SystemClock(), Random()
    attempt = 0
    while not stop.is_set():
        began = clock.monotonic()
        try:
            await Worker(config, cluster, clock, random, metrics).run(stop)
        except* (KafkaError, ConnectionError) as group:
            attempt = 1 if clock.monotonic() - began > 60 else attempt + 1
            delay = Backoff(1.0, 15.0).delay(attempt, random)
            log.warning("sinks start again in %.1f s from what is committed: %s", delay, "; ".join(map(repr, group.exceptions)))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), delay)


def _calm_collector() -> None:
    """What is there at the start stays: without this, the collector goes through all of it now and then, and every delivery waits for
    a tenth of a second or more. What waits in the queues is many small objects, none of them in a cycle."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


class Worker:
    """One life of the worker: it ends by `stop`, or by the first error."""

    def __init__(self, config: Config, cluster: Cluster, clock: Clock, random: Random, metrics: SinksMetrics) -> None:
        self._config = config
        self._cluster = cluster
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._names = [subscription.name for subscription in config.subscriptions]
        self._kinds: dict[str, Kind] = {one.name: "slack" if one.slack else "webhook" for one in config.subscriptions}
        self._directory = Directory(config.subscriptions, clock)
        self._pulse = Pulse(clock)
        self._recorded = asyncio.Event()
        self._recorded.set()
        self._busy: set[str] = set()
        self._endpoints: dict[str, Endpoint] = {}
        self._shard_tasks: dict[Shard, list[asyncio.Task[None]]] = {}
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, stop: asyncio.Event) -> None:
        async with contextlib.AsyncExitStack() as stack:
            await ensure_topics(self._cluster, every_topic(self._cluster.topics))
            producer = self._cluster.producer(max_batch_size=BATCH_BYTES)
            await producer.start()
            stack.push_async_callback(producer.stop)
            network = self._config.network
            client = Client(self._config.delivery, network.allow, network.nameservers, Outbound.of(network))
            stack.push_async_callback(client.aclose)
            self._states = EndpointStates(
                *(self._cluster, producer, self._clock, self._random),
                disable_after=self._config.delivery.disable_after,
                grace=self._config.delivery.removed_subscription_grace,
            )
            await self._states.load(self._config.subscriptions)
            timeout = self._config.delivery.timeout.total_seconds()
            self._handover = Handover(self._cluster, producer, self._endpoints, self._clock, timeout)
            # released after the endpoints have closed
            self._leases = Leases(self._cluster, self._clock)
            stack.push_async_callback(self._leases.aclose)
            self._journal = Journal(producer, self._cluster.topics.deliveries, self._clock)
            self._make_endpoints(client)
            await self._serve(stop, stack)

    def _make_endpoints(self, client: Client) -> None:
        policy = RetryPolicy.of(self._config.delivery)
        limits = limits_of(self._config, self._clock, self._leases.of)
        self._leases.serve(limits.values())
        memory = Budget(self._config.delivery.total_queue_bytes, self._names, _MEMORY_RESERVE)
        most = self._config.delivery.max_connections or soft_limit() // _DESCRIPTORS_PER_CONNECTION
        connections = Slots(Budget(most, self._names, _CONNECTIONS_RESERVE))
        self._settler = Settler(policy, self._journal, self._states, self._handover, self._clock, self._random, self._kinds)
        for subscription in self._config.subscriptions:
            limit = limits.get(subscription.name)
            endpoint = Endpoint(
                subscription.name,
                sender_of(subscription, self._config, client, limit),
                bounds_of(subscription, self._config),
                self._clock,
                on_answer=self._settler.settle,
                on_error=self._fail,
                on_busy=lambda name, busy: self._busy.add(name) if busy else self._busy.discard(name),
                limit=limit,
                pulse=self._pulse,
                recorded=self._recorded,
                memory=memory,
                connections=connections,
            )
            endpoint.since_ms = int(self._states.since(subscription.name).timestamp() * 1000)
            endpoint.disabled = self._states.disabled(subscription.name)
            self._endpoints[subscription.name] = endpoint
        self._states.on_change = self._state_changed

    async def _serve(self, stop: asyncio.Event, stack: contextlib.AsyncExitStack) -> None:
        begins = {one.name: self._endpoints[one.name].since_ms for one in self._config.subscriptions if one.since is not None}
        owner = Ownership(
            *(self._cluster, self._states, self._kinds, begins, self._clock),
            opened=self._opened,
            closing=self._closing,
            failed=self._fail,
        )
        self._owner, self._shards = owner, owner.shards
        consumer = owner.consumer = self._cluster.consumer(
            group_id=group_id(self._cluster.topics),
            partition_assignment_strategy=[Assignor(self._states.kept, self._states.unknown_to_all)],
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            rebalance_timeout_ms=_REBALANCE_MS,
        )
        self._commits = Commits(consumer, lambda: list(owner.shards.values()), self._recorded, self._clock)
        consumer.subscribe([topic.name for topic in event_topics(self._cluster.topics)], listener=owner)
        stack.push_async_callback(owner.close_at_once)
        stack.push_async_callback(consumer.stop)
        # from before it joins: what a new owner has done during a pause in between would be done again
        pulse = self._watched(self._pulse.run())
        stack.callback(pulse.cancel)
        await consumer.start()
        feed = Feed(consumer, owner.shards, self._directory, self._endpoints, self._busy, self._clock)
        self._metrics.engine = Engine(consumer, owner, feed, self._endpoints, self._settler, self._directory, self._journal)
        background = [
            self._watched(feed.run()),
            self._watched(self._commits.run()),
            self._watched(self._journal.run()),
            self._watched(self._states.run()),
            self._watched(self._leases.run()),
            self._watched(self._tidy()),
            pulse,
        ]
        try:
            await self._until(stop)
            for task in (background[0], *itertools.chain(*self._shard_tasks.values())):
                task.cancel()
            self._metrics.engine = None
            await self._finish(owner)
        finally:
            self._metrics.engine = None
            tasks = background + [task for tasks in self._shard_tasks.values() for task in tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(endpoint.aclose() for endpoint in self._endpoints.values()))

    async def _until(self, stop: asyncio.Event) -> None:
        stopped = asyncio.create_task(stop.wait())
        waited: list[asyncio.Future[Any]] = [stopped, self._ended]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if self._ended.done():
            self._ended.result()

    async def _finish(self, owner: Ownership) -> None:
        """No new attempts. Those in flight may end, the slow ones after the partitions have gone to other workers."""
        owner.leaving = True
        for endpoint in self._endpoints.values():
            endpoint.hold()
        timeout = self._config.delivery.timeout.total_seconds()
        await self._quiet(None, min(HAND_OVER_S, timeout))
        for shard in owner.shards.values():
            self._handover.give(shard)
        await self._commits.commit(owner.shards.values())
        for shard in owner.shards.values():
            shard.leaving = shard.closed = True
        assert owner.consumer is not None
        await owner.consumer.stop()
        await self._quiet(None, timeout + _LAST_CALL_S)
        await self._handover.flush()
        await self._journal.flush()
        await self._states.flush()

    async def _quiet(self, shard: Shard | None, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(endpoint.quiet(shard) for endpoint in self._endpoints.values()))

    def _opened(self, shard: Shard) -> None:
        trail = Trail(self._cluster, shard, self._directory, self._endpoints, self._clock)
        window = window_bytes(self._config.delivery.total_queue_bytes, self._cluster.topics.partitions)
        returns = Returns(self._cluster, shard, self._endpoints, self._settler, self._states, self._clock, self._random, window)
        self._shard_tasks[shard] = [self._watched(trail.run()), self._watched(returns.run())]
        if shard.partition == WATCHING:
            delivery = self._config.delivery
            watch = Watch(
                *(self._cluster, shard, self._states, self._kinds, self._clock),
                every=delivery.alert_every,
                disable_after=delivery.disable_after,
            )
            self._shard_tasks[shard].append(self._watched(watch.run()))

    async def _closing(self, shard: Shard) -> None:
        """The partition goes to another worker: what waits is dropped, what is in flight may end, here or after it has gone;
        what is settled is committed."""
        shard.leaving = True
        tasks = self._shard_tasks.pop(shard, [])
        for task in tasks:
            task.cancel()
        for endpoint in self._endpoints.values():
            endpoint.drop(lambda delivery: delivery.shard is shard)
        await self._quiet(shard, HAND_OVER_S)
        self._handover.give(shard)
        try:
            await self._commits.commit([shard])
        except KafkaError as problem:
            log.info("partitions %d have moved before the last commit: %r", shard.partition, problem)
        self._commits.forget(shard)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _state_changed(self, state: EndpointState) -> None:
        endpoint = self._endpoints.get(state.subscription)
        if endpoint is None:
            return
        disabled = state.disabled_at is not None
        if disabled and not endpoint.disabled:
            endpoint.disabled = True
            self._freeze(endpoint)
        elif endpoint.disabled and not disabled:
            log.info("endpoint %s is enabled again", endpoint.name)
            endpoint.disabled = False

    def _freeze(self, endpoint: Endpoint) -> None:
        """What a disabled endpoint has not had yet waits at its cursors, in case it is enabled again."""
        for shard in self._shards.values():
            shard.freeze(endpoint.name)
        for delivery in endpoint.drop(lambda delivery: True):  # noqa: ARG005
            if not delivery.is_first:
                self._settler.give_up(delivery)

    async def _tidy(self) -> None:
        """Queues that stand still must not hold back the common stream's offset."""
        while True:
            await self._clock.sleep(_TIDY_EVERY_S)
            await self._keep_removed()
            self._report_stalled()
            slow = {name for name, endpoint in self._endpoints.items() if endpoint.oldest_wait() > _HELD_BACK_S}
            for shard in list(self._shards.values()):
                held = {(name, topic) for name in slow for topic, common in shard.commons.items() if common.open_of(name)}
                for name, topic in held.union(shard.crowded()):
                    shard.detach(name, topic, shard.commons[topic].position)

    def _report_stalled(self) -> None:
        behind = {
            lag.subscription
            for shard in self._shards.values()
            for lag in shard.lags.values()
            if lag.until is None and lag.tracker.position < shard.commons[lag.topic].position
        }
        for name, endpoint in self._endpoints.items():
            self._states.stalled(name, endpoint.stalled_s(behind=name in behind))

    async def _keep_removed(self) -> None:
        """The places of subscriptions that the config does not have: of those that another worker has begun to serve, as of those that
        were removed, and no longer than they are kept."""
        for shard in self._shards.values():
            for name in {subscription for subscription, _ in shard.lags} - self._endpoints.keys():
                if self._states.standing(name) is not Standing.KEPT:
                    shard.drop(name)
        for name in self._states.kept():
            await self._owner.keep(name, int(self._states.since(name).timestamp() * 1000))

    def _watched(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._watch)
        return task

    def _watch(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)

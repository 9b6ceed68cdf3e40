"""The Faust app: its settings, and one agent a provider that sorts events into lanes.

Faust brings group membership and hands the events over. What it does not do here is commit, or keep tables: a lane's transaction
holds its outputs, its offset and its changes of state together, which Faust's own tables can't (see `tables.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
from aiokafka import TopicPartition
from faust.types import TP

from runtime.kafka import HEARTBEAT_MS, SESSION_TIMEOUT_MS, Cluster
from runtime.offsets import records_behind
from runtime.topics import ensure_topics
from streams.deadlimit import TooManyDead
from streams.lane import Lane
from streams.output import TransactionalOutput
from streams.pipeline import Pipeline
from streams.place import Place
from streams.statistics import Statistics
from streams.tables import StateTable
from streams.transport import FaustApp

log = logging.getLogger(__name__)

_CANCEL_AGAIN_S = 0.5


class LaneEnded(Exception):
    """A lane ended that nobody stopped: a stray cancellation, say of a library that cancels the task that runs it."""


class _Fetching:
    """Faust's fetching of one partition. Its buffer marks are used, not its pause: a pause drops the records in hand."""

    def __init__(self, app: FaustApp, tp: TP) -> None:
        self._app = app
        self._tp = tp

    def hold_back(self) -> None:
        self._app.consumer.on_buffer_full(self._tp)

    def let_come(self) -> None:
        self._app.consumer.on_buffer_drop(self._tp)


class StreamsApp:
    """Owns the Faust app and its lanes. `failed` is set to what ended a lane: the worker then ends at once. `joined`: the group has
    told it its partitions, which may be none."""

    def __init__(self, cluster: Cluster, data_dir: Path, providers: list[str]) -> None:
        """`data_dir` holds this worker's local stores, and no other's."""
        data_dir.mkdir(parents=True, exist_ok=True)
        self._cluster = cluster
        self.group = f"{cluster.topics.prefix}-streams"
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.places: dict[str, Place] = {}
        self.on_owned: Callable[[str, int], None] = _nobody_asked
        self._owned: set[TP] = set()
        self._lanes: dict[TP, tuple[Lane, asyncio.Task[None]]] = {}
        self._stopping = False
        self.joined = False
        self.faust = FaustApp(self.group, **self._settings(data_dir))
        self.seen = {provider: StateTable(cluster, provider, "seen", data_dir / "state") for provider in providers}
        self.snapshots = {provider: StateTable(cluster, provider, "snapshots", data_dir / "state") for provider in providers}
        self._of_topic = {cluster.topics.raw(provider).name: provider for provider in providers}
        for provider in providers:
            self._agent(provider)
        self.faust.on_partitions_revoked.connect(self._let_go, weak=False)  # type: ignore[arg-type]
        self.faust.on_partitions_assigned.connect(self._assigned, weak=False)  # type: ignore[arg-type]
        self.faust.on_rebalance_complete.connect(self._open_lanes, weak=False)  # type: ignore[arg-type]

    async def start(self) -> None:
        await ensure_topics(self._cluster, [table.changelog for table in (*self.seen.values(), *self.snapshots.values())])
        self.faust.finalize()
        await self.faust.start()

    async def stop(self) -> None:
        self._stopping = True
        await self._close(set(self._lanes))
        await self.faust.stop()

    @property
    def crashed(self) -> BaseException | None:
        """What has ended Faust, if anything has."""
        reason: BaseException | None = self.faust.crash_reason if self.faust.crashed else None
        return reason

    @property
    def joining(self) -> bool:
        """Whether the group has still to tell this worker its partitions, which may be none."""
        return not self.joined or bool(self.faust.rebalancing)

    def unopened(self) -> set[TopicPartition]:
        """Partitions that are owned, and whose lane does not run (yet)."""
        return {TopicPartition(*tp) for tp in self._owned if tp not in self._lanes or not self._lanes[tp][0].running}

    def statistics(self) -> dict[str, list[Statistics]]:
        """Of every partition at work, by provider."""
        found: dict[str, list[Statistics]] = {}
        for tp, lane in self.lanes().items():
            found.setdefault(self.provider_of(tp), []).append(lane.work.statistics())
        return found

    def lanes(self) -> dict[TopicPartition, Lane]:
        """The lanes that are at work, or were until they stopped."""
        return {TopicPartition(*tp): lane for tp, (lane, _) in self._lanes.items() if lane.running}

    def provider_of(self, tp: TopicPartition) -> str:
        return self._of_topic[tp.topic]

    def stopped(self, tp: TopicPartition) -> bool:
        """Whether the lane has ended, and what comes waits in its topic."""
        return self._ended(TP(*tp))

    async def lag(self, tp: TopicPartition) -> int | None:
        """Records behind the committed offset (see `records_behind`); None where the partition has just gone."""
        lane = self.lanes().get(tp)
        if lane is None:
            return None
        return await records_behind(self.faust.consumer, tp, lane.next_offset, busy=lane.busy or self.stopped(tp))

    def positions(self) -> dict[TopicPartition, int]:
        """The next offset of every partition in work."""
        lanes = {TopicPartition(*tp): lane.position for tp, (lane, task) in self._lanes.items() if not task.done()}
        return {tp: position for tp, position in lanes.items() if position is not None}

    def _settings(self, data_dir: Path) -> dict[str, Any]:
        settings = self._cluster.settings
        return {
            "broker": [f"kafka://{address.strip()}" for address in self._cluster.bootstrap_servers.split(",")],
            "broker_credentials": _credentials(self._cluster),
            "datadir": data_dir,
            "topic_partitions": settings.partitions,
            "key_serializer": "raw",
            "value_serializer": "raw",
            "web_enabled": False,
            "broker_session_timeout": SESSION_TIMEOUT_MS / 1000,
            "broker_heartbeat_interval": HEARTBEAT_MS / 1000,
            "consumer_auto_offset_reset": "earliest",
            # a provider that is away fills its lanes, and nothing more is taken in: that is no death, and the watchdog knows it
            "broker_max_poll_interval": 86_400.0,
            # waiting for unacknowledged events can hang a shutdown for ever; what is not committed comes again
            "stream_wait_empty": False,
        }

    def _agent(self, provider: str) -> None:
        topic = self.faust.topic(
            self._cluster.topics.raw(provider).name, partitions=self._cluster.topics.partitions, key_type=bytes, value_type=bytes
        )

        async def sort_into_lanes(stream: Any) -> None:
            async for event in stream.noack().events():
                tp = event.message.tp
                if tp in self._owned and not self._stopping and not self._ended(tp):
                    self._lane(tp).add(event, stream)

        self.faust.agent(topic, name=f"enrich-{provider}")(sort_into_lanes)

    def _lane(self, tp: TP) -> Lane:
        if tp not in self._lanes:
            provider = self._of_topic[tp.topic]
            output = TransactionalOutput(self._cluster, self.group, TopicPartition(*tp))
            work = Pipeline(self.places[provider], tp.partition)
            tables = (self.seen[provider], self.snapshots[provider])
            lane = Lane(tp.partition, output, tables, work, _Fetching(self.faust, tp))
            task = asyncio.create_task(lane.run(), name=f"lane {tp.topic}/{tp.partition}")
            task.add_done_callback(self._lane_ended)
            self._lanes[tp] = lane, task
        return self._lanes[tp][0]

    def _ended(self, tp: TP) -> bool:
        return tp in self._lanes and self._lanes[tp][1].done()

    def _lane_ended(self, task: asyncio.Task[None]) -> None:
        reason: BaseException | None
        if any(task is running for _, running in self._lanes.values()) and (task.cancelled() or task.exception() is None):
            # nobody has let the partition go: without this its events would wait for ever, and its watchdog with them
            reason = LaneEnded(f"{task.get_name()} ended although its partition is owned")
        else:
            reason = None if task.cancelled() else task.exception()
        if isinstance(reason, TooManyDead):
            log.critical("%s has stopped, and what it has not taken waits in its topic: %s", task.get_name(), reason)
        elif reason is not None and not self.failed.done():
            log.critical("%s: %r", task.get_name(), reason, exc_info=reason)
            self.failed.set_result(reason)

    async def _assigned(self, _app: Any, *signalled: set[TP], **_: Any) -> None:
        (assigned,) = signalled
        # a rebalance that was under way when the stop came opens no lanes any more
        self._owned = {tp for tp in assigned if tp.topic in self._of_topic and not self._stopping}
        for topic, provider in self._of_topic.items():
            self.on_owned(provider, sum(tp.topic == topic for tp in self._owned))

    async def _open_lanes(self, _app: Any, *_: Any, **__: Any) -> None:
        """The partitions are ours: each gets its lane, which recovers its own state, and takes up what was deferred even where no
        new events come."""
        self.joined = True
        for tp in self._owned if not self._stopping else ():
            self._lane(tp)

    async def _let_go(self, _app: Any, *signalled: set[TP], **_: Any) -> None:
        (revoked,) = signalled
        self._owned -= revoked
        await self._close(revoked)

    async def _close(self, tps: set[TP]) -> None:
        """All at once: a rebalance waits for the slowest of them."""
        closing = [self._lanes.pop(tp) for tp in tps if tp in self._lanes]
        await asyncio.gather(*(_closed(lane, task) for lane, task in closing))


async def _closed(lane: Lane, task: asyncio.Task[None]) -> None:
    while not task.done():
        # again: aiokafka swallows a cancellation that comes while it closes one of its clients, and the lane would run on
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_S)
    await lane.stop()


def _nobody_asked(_provider: str, _partitions: int) -> None:
    """`on_owned` before anyone sets it."""


def _credentials(cluster: Cluster) -> Any:
    settings, context = cluster.settings, cluster.ssl_context()
    if settings.sasl_mechanism is not None:
        password = settings.sasl_plain_password.get_secret_value() if settings.sasl_plain_password else None
        return faust.SASLCredentials(
            username=settings.sasl_plain_username, password=password, ssl_context=context, mechanism=settings.sasl_mechanism
        )
    return faust.SSLCredentials(context) if context is not None else None

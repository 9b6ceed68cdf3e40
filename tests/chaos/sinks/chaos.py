"""One run of the sinks under chaos: events are written to the changes while workers and broker are struck."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import orjson
from aiokafka import ConsumerRecord

from changecast.deliveries.endpoints import enabled, endpoint_states, write
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from schemas import dead
from schemas.delivery import Attempt
from sinks.topics import every_topic
from tests.chaos.command import Order
from tests.chaos.following import follow
from tests.chaos.plan import Kind, Odds
from tests.chaos.report import Row, faults_of, showing
from tests.chaos.sinks.endpoints import ENDPOINTS, GONE, PROVIDERS, config
from tests.chaos.sinks.receivers import digest
from tests.chaos.sinks.records import Records
from tests.chaos.sinks.verdict import Accepted, Dead, Key, Verdict, judge
from tests.chaos.sinks.windows import windows_of
from tests.chaos.sinks.writer import Writer
from tests.chaos.stage import Stage
from tests.chaos.victims import Worker, disk_of

ODDS = Odds(kills={Kind.KILL_WORKER: 6, Kind.KILL_BROKER: 3}, workers=3, fewest_others=1)
START_WITHIN_S = 90.0
DRAIN_WITHIN_S = 240.0
TICK_S = 0.25
SECONDS_A_FAULT = 11.0
GONE_AFTER = 0.1
"""Calls that the endpoint takes before it ends, to the events of the run."""


class Chaos:
    """One run."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._rate = order.size / max(SECONDS_A_FAULT * len(order.faults), 20.0)
        self._records = Records(order.folder)
        self._delivered = 0
        self._wanted: set[Key] = set()
        self._ended: set[Key] = set()
        self._not_committed = 0
        self._verdict = Verdict()
        self.stage = Stage(order.folder, order.faults, lambda: self._delivered)

    async def run(self) -> Verdict:
        stage = self.stage
        servers = await stage.broker.start()
        try:
            with self._records.receiving(int(self._order.size * GONE_AFTER)) as urls:
                async with showing(self._order.console, stage, self._line):
                    self._verdict = await self._run(Cluster.at(servers, "chaos"), urls)
            return self._verdict
        finally:
            stage.close()
            await stage.broker.stop()

    async def _run(self, cluster: Cluster, urls: dict[str, str]) -> Verdict:
        stage = self.stage
        await ensure_topics(cluster, every_topic(cluster.topics))
        self._make_workers(cluster, urls)
        for worker in stage.workers:
            worker.start()
        writer = Writer(cluster, self._order.seed)
        topics = [*(cluster.topics.changes(name).name for name in PROVIDERS), cluster.topics.dead.name]
        watching = asyncio.create_task(follow(cluster, topics, self._take, self._look))
        try:
            await self._all_known(cluster)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(writer))
                group.create_task(stage.strike())
            await self._bring_round(cluster)
            stage.progress.doing = "draining"
            # what is still to come, and what came too often, must have time to show itself
            with suppress(TimeoutError):
                await stage.until(lambda: self._wanted <= self._ended, DRAIN_WITHIN_S, "the last deliveries")
            await asyncio.sleep(3)
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            self._not_committed = writer.not_committed
            await writer.close()
        stage.progress.doing = "judging"
        # what the workers still hold of their records of attempts is written when they stop
        await asyncio.gather(*(worker.stop() for worker in stage.workers))
        return await self._judged(cluster)

    def _make_workers(self, cluster: Cluster, urls: dict[str, str]) -> None:
        kafka = {"bootstrap_servers": cluster.bootstrap_servers, "topic_prefix": "chaos"}
        for number in range(ODDS.workers):
            folder = self._order.folder
            document = {**config(kafka, urls, self._records.nameserver), "data_dir": str(disk_of(folder, number))}
            self.stage.workers.append(Worker("sinks", number, folder, orjson.dumps(document)))  # YAML holds JSON

    async def _all_known(self, cluster: Cluster) -> None:
        """What is older than a subscription is not its own: nothing is written before the workers know all of them."""
        names = {endpoint.name for endpoint in ENDPOINTS}
        async with asyncio.timeout(START_WITHIN_S):
            while not names <= (await endpoint_states(cluster)).keys():
                await asyncio.sleep(0.1)

    async def _write(self, writer: Writer) -> None:
        """Events at a steady rate until there are enough, and for as long as faults come."""
        progress, began = self.stage.progress, time.monotonic()
        while progress.written < self._order.size or not self.stage.faults_over.is_set():
            due = min(int((time.monotonic() - began) * self._rate) - progress.written, 300)
            if due > 0:
                await writer.write(due)
                progress.written += due
            await asyncio.sleep(TICK_S)

    async def _bring_round(self, cluster: Cluster) -> None:
        """The receivers are well from now on, and the one that had ended is enabled again, as an operator would do it."""
        await self._records.calm()
        state = (await endpoint_states(cluster))[GONE]
        if state.disabled_at is None:
            self.stage.progress.problems.append(f"{GONE} answered 410, and is not disabled")
        else:
            await write(cluster, [enabled(state)])

    def _take(self, record: ConsumerRecord) -> None:
        headers = dict(record.headers)
        if dead.REASON in headers:
            one = _dead(record)
            self._ended.add((one.subscription, one.event_id))
            return
        event = _accepted(record)
        self._wanted |= {(one.name, event.event_id) for one in ENDPOINTS if one.wants(event.provider, event.key)}

    def _look(self) -> None:
        self.stage.keep_alive()
        for call in self._records.fresh():
            if call.received:
                self._delivered += 1
                self._ended.add((call.name, call.event_id))

    async def _judged(self, cluster: Cluster) -> Verdict:
        self._look()
        accepted = [
            _accepted(record) for name in PROVIDERS async for record in read_to_end(cluster, cluster.topics.changes(name).name)
        ]
        buried = [_dead(record) async for record in read_to_end(cluster, cluster.topics.dead.name)]
        attempts = [
            Attempt.model_validate_json(record.value or b"")
            async for record in read_to_end(cluster, cluster.topics.deliveries.name)
        ]
        return judge(ENDPOINTS, accepted, self._records.calls, buried, attempts, windows_of(self.stage.struck))

    def _line(self) -> str:
        return f"{self.stage.progress.written:,} written, {self._delivered:,} delivered"

    def rows(self) -> list[Row]:
        verdict, stage = self._verdict, self.stage
        kills = sum(stage.progress.faults[kind] for kind in ODDS.kills)
        return [
            ("events written; pages aborted or in doubt", f"{stage.progress.written:,}; {self._not_committed}"),
            ("deliveries of what was accepted", f"{len(self._wanted):,} to {len(ENDPOINTS)} subscriptions"),
            *faults_of(stage),
            ("calls that the receivers got", f"{verdict.calls:,}"),
            ("delivered", f"{verdict.delivered:,}"),
            *((f"dead: {reason}", f"{count:,}") for reason, count in verdict.dead.most_common()),
            ("came again", f"{verdict.again:,}, {verdict.again / max(kills, 1):.1f} a kill"),
            ("in flight at a fault, or near one", f"{verdict.in_flight:,}"),
        ]


def _accepted(record: ConsumerRecord) -> Accepted:
    document = orjson.loads(record.value)
    data = document["data"]
    return Accepted(document["id"], document["subject"], data["provider"], data["changes"][0]["key"], digest(record.value))


def _dead(record: ConsumerRecord) -> Dead:
    headers = {name: value.decode() for name, value in record.headers}
    event_id = str(orjson.loads(record.value)["id"])
    return Dead(headers.get(dead.SUBSCRIPTION, ""), event_id, headers[dead.REASON], int(headers[dead.ATTEMPTS]))

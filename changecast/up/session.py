"""One run of `changecast up`: the start-up steps, the live view, and the way down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from changecast.kafka import EmbeddedBroker
from changecast.kafka.login import logged_in
from changecast.up.broker import broker_part
from changecast.up.children import Part, own_command, process_part
from changecast.up.graces import grace_of, reload_grace_of, stop_within
from changecast.up.lock import UpLock, wait_for
from changecast.up.logtail import LogTail, text_since, worth_showing
from changecast.up.plan import Plan, Sandbox, settled, with_free_port
from changecast.up.ports import embedded_port, metrics_port, metrics_words
from changecast.up.reloads import Reloads
from changecast.up.screen import Screen
from changecast.up.supervisor import Ended, Notice, PartFailed, StartedAgain, Supervisor
from changecast.up.watch import Counts, Watcher
from changecast.up.worker import UP_LINE
from runtime.amounts import amount
from runtime.kafka import BOOTSTRAP_VARIABLE, Cluster
from runtime.logs import bound, brief, parse_line, set_up
from runtime.outbound import Outbound
from runtime.topics import ensure_topics
from schemas.config import Source

_EXTERNAL_KAFKA_WAIT_S = 20.0
_LOGS_EVERY_S = 0.5
_SAME_WARNING_S = 60.0
"""A warning that comes again sooner is in the log, and need not be read twice."""
_WORKERS = ("sinks", "streams", "producers")


class Session:
    """Owns everything that `up` starts. `start` may be cancelled; `stop` takes down whatever was started by then."""

    def __init__(self, plan: Plan, screen: Screen, reload_asked: asyncio.Event) -> None:
        """`reload_asked` is set by whoever wants the config to be read again."""
        self.plan = plan
        self._screen = screen
        self._reloads = Reloads(reload_asked, screen, prepare=self._prepare, take_over=self._take_over)
        self._sandbox: Sandbox | None = None
        self._lock = UpLock(plan.config.data_dir, plan.path, embedded_port(plan.config.kafka))
        self._logs = plan.config.data_dir / "logs"
        self._supervisor = Supervisor(self._notice)
        self._broker: EmbeddedBroker | None = None
        self._bootstrap: str | None = None
        self._watcher: Watcher | None = None
        self._watching: list[asyncio.Task[None]] = []
        self._warned: dict[tuple[str, str], float] = {}
        self.started = False

    async def start(self) -> None:
        """All steps up to the live view. Raises AlreadyRunning, NoDataDirectory, PartFailed, TopicMismatch, ConnectionError."""
        plan, screen = self.plan, self._screen
        screen.say(f"changecast {version('changecast')}\n")
        self._lock.acquire()
        self._logs.mkdir(exist_ok=True)
        screen.step("Config")
        screen.done(f"{plan.path}, data in {_short(plan.config.data_dir)}")
        if self._lock.exposed is not None:
            screen.warn(self._lock.exposed, datetime.now(UTC))
        if self._lock.left_over:
            screen.step("Last run")
            await wait_for(self._lock.left_over, lambda names: screen.progress(f"waiting for its {names} to end"))
            screen.done("has ended")
        plan = self.plan = settled(plan)
        # our own log: a client's complaints would break into the live view
        set_up(file=self._log("up"))
        await self._start_kafka()
        await self._start_topics()
        if plan.sandbox is not None:
            plan = self.plan = with_free_port(plan)
            assert plan.sandbox is not None
            self._sandbox = plan.sandbox
            await self._step("Sandbox", self._sandbox_part(plan.sandbox), plan.sandbox.url)
        await self._start_workers(_WORKERS)
        if words := metrics_words(plan.config.metrics):
            screen.step("Metrics")
            screen.done(words)
        self.started = True
        screen.say()
        for remark in plan.remarks:
            screen.say(remark)
        screen.say("Ctrl-C stops everything.\n")
        self._show_counts(Counts())

    async def watch(self) -> None:
        """Run the live view until cancelled. Raises what ended it; PartFailed when a part can't run any more."""
        assert self._watcher is not None
        self._watching += [
            asyncio.create_task(self._watcher.run(self._show_counts), name="live view"),
            asyncio.create_task(self._follow_logs(), name="logs"),
            asyncio.create_task(self._reloads.follow(self.plan, self._sandbox), name="reloads"),
        ]
        gave_up = asyncio.create_task(self._supervisor.gave_up())
        try:
            done, _ = await asyncio.wait([gave_up, *self._watching], return_when=asyncio.FIRST_COMPLETED)
            if gave_up in done:
                raise gave_up.result()
            for task in done:
                task.result()
        finally:
            gave_up.cancel()

    async def stop(self) -> None:
        """Take everything down in order, each part within its grace period (`graces`)."""
        began, anything = time.monotonic(), bool(self._supervisor.processes)
        self._screen.close()
        self._screen.say()
        for task in self._watching:
            task.cancel()
        if self._watching:
            await asyncio.wait(self._watching)
        if self._watcher is not None:
            await self._watcher.stop()
        await self._supervisor.stop(stop_within(self.plan.config), self._say_stopping)
        self._lock.release()
        if anything:
            self._screen.say(f"Stopped in {time.monotonic() - began:.1f} s.")

    def kill(self) -> None:
        """End everything at once. What was in flight is taken up again at the next start."""
        self._supervisor.kill()

    def _say_stopping(self, part: str) -> None:
        if part == "kafka" and self._broker is not None and not self._broker.owned:
            command = f"changecast kafka stop --data-dir {_short(self.plan.config.data_dir)}"
            self._screen.say(f"Kafka goes on running at {self._bootstrap}, as it did before (`{command}` stops it)")
        elif part == "sinks":
            timeout = self.plan.config.delivery.timeout.total_seconds()
            self._screen.say(f"Stopping sinks (calls in flight may take {timeout:g} s; Ctrl-C again ends everything at once)")
        else:
            self._screen.say(f"Stopping {part}")

    async def _start_kafka(self) -> None:
        settings, screen = self.plan.config.kafka, self._screen
        screen.step("Kafka")
        if settings.bootstrap_servers is not None:
            await Cluster(settings).wait_ready(_EXTERNAL_KAFKA_WAIT_S)
            screen.done(settings.bootstrap_servers)
            return
        broker = self._broker = EmbeddedBroker(
            self.plan.config.data_dir,
            settings.embedded_port,
            settings.embedded_heap,
            on_progress=lambda have, total: screen.progress(f"downloading, {total / 1e6:.0f} MB", have / max(total, 1)),
            on_step=self._broker_step,
            outbound=Outbound.of(self.plan.config.network),
            sasl=settings.embedded_auth == "sasl",
        )
        await self._supervisor.start(broker_part(broker, broker.home.jvm_log, grace_of("kafka", self.plan.config)))
        self._bootstrap = broker.bootstrap_servers
        java = f", Java {broker.java.version}" if broker.java else ""
        screen.done(f"{self._bootstrap}{java}")

    def _broker_step(self, text: str) -> None:
        if not self.started:  # a restart is told in a line of its own
            self._screen.progress(text)

    async def _start_topics(self) -> None:
        self._screen.step("Topics")
        cluster = Cluster(logged_in(self.plan.config.kafka, self.plan.config.data_dir), self._bootstrap)
        count = await _make_topics(cluster, self.plan)
        self._watcher = Watcher(cluster, self.plan.config.providers.configured(), self._screen.row)
        await self._watcher.start()
        self._screen.done(f"{cluster.topics.prefix}.*, {count} of them")

    async def _step(self, name: str, part: Part, text: str) -> None:
        self._screen.step(name)
        await self._supervisor.start(part)
        self._remember_parts()
        self._screen.done(text)

    async def _start_workers(self, names: Iterable[str]) -> None:
        """All at once, since each needs a second or two to import its libraries; told, and later stopped, one by one."""
        config = self.plan.config
        count = len(config.subscriptions)
        texts = {
            "sinks": amount(count, "subscription"),
            "streams": "dedupe and enrichment",
            "producers": ", ".join(config.providers.configured()) or "no provider to poll",
        }
        starts = {name: asyncio.create_task(self._supervisor.start(self._worker_part(name))) for name in names}
        try:
            for name, start in starts.items():
                self._screen.step(name.capitalize())
                await start
                self._remember_parts()
                self._screen.done(texts[name])
        finally:
            for start in starts.values():
                start.cancel()
            await asyncio.wait(starts.values())

    def _sandbox_part(self, sandbox: Sandbox) -> Part:
        command = own_command("sandbox", "--port", str(sandbox.port), "--data-dir", str(sandbox.data_dir))
        return self._own_part("sandbox", command, ready_when=f"sandbox: {sandbox.url}")

    def _worker_part(self, name: str) -> Part:
        command = own_command("worker", name, "-c", str(self.plan.path.absolute()))
        if (port := metrics_port(self.plan.config.metrics, name)) is not None:
            command += ["--metrics-port", str(port)]
        return self._own_part(name, command, ready_when=UP_LINE, config=self.plan.source)

    def _own_part(self, name: str, command: list[str], ready_when: str, config: Source | None = None) -> Part:
        """One of our commands, which is ready when it has written `ready_when` into its log. It keeps this config, also when it has to
        be started again: the file may have been edited since."""
        environment = dict(self.plan.environment)
        if self._bootstrap is not None:
            environment[BOOTSTRAP_VARIABLE] = self._bootstrap
        log = self._log(name)
        begins = log.stat().st_size if log.exists() else 0

        async def is_up() -> bool:
            return ready_when in text_since(log, begins)

        return process_part(
            name, command, log, grace=grace_of(name, self.plan.config), environment=environment, config=config, ready=is_up
        )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _remember_parts(self) -> None:
        """For the next start, should we be killed. The broker keeps such a note itself."""
        self._lock.record({name: pid for name, pid in self._supervisor.processes.items() if name != "kafka"})

    def _notice(self, notice: Notice) -> None:
        match notice:
            case Ended(part, how, reason, delay):
                why = f": {reason}" if reason else ""
                self._screen.warn(f"{part} ended ({how}){why} — starting it again in {delay:g} s", datetime.now(UTC))
            case StartedAgain():
                self._remember_parts()

    async def _prepare(self, plan: Plan) -> None:
        """What a new provider needs before its parts start. Nothing has been stopped by then. Raises as `ensure_topics` does."""
        assert self._watcher is not None
        await _make_topics(Cluster(logged_in(plan.config.kafka, plan.config.data_dir), self._bootstrap), plan)
        await self._watcher.add(plan.config.providers.configured())

    async def _take_over(self, plan: Plan, parts: tuple[str, ...]) -> None:
        """Have these end in the order of the stream, so that none leaves behind what the one before it still writes, and start together.
        One that does not get ready is started again and again, as after a crash: the others go on meanwhile."""
        running, self.plan = self.plan.config, plan
        set_up(file=self._log("up"))
        for name in parts:
            self._screen.step(name.capitalize(), "ends what is under way")
            await self._supervisor.halt(name, reload_grace_of(name, running))
        try:
            if parts:
                await self._start_workers(reversed(parts))
        except PartFailed as error:
            self._screen.failed()
            self._screen.warn(str(error), datetime.now(UTC))
        assert self._watcher is not None
        self._show_counts(self._watcher.counts)

    async def _follow_logs(self) -> None:
        """Show the parts' own warnings, and keep their logs small."""
        tails = {name: LogTail(self._log(name)) for name in (*_WORKERS, "sandbox")}
        while True:
            await asyncio.sleep(_LOGS_EVERY_S)
            for part, tail in tails.items():
                for line in tail.new_lines():
                    told = parse_line(line)
                    if told is not None and worth_showing(told):
                        self._warn_once(part, brief(told.message))
                bound(tail.path)
            bound(self._log("up"))

    def _warn_once(self, part: str, message: str) -> None:
        now = time.monotonic()
        if now - self._warned.get((part, message), -_SAME_WARNING_S) >= _SAME_WARNING_S:
            self._screen.warn(f"{part}: {message}", datetime.now(UTC))
            self._warned = {key: at for key, at in self._warned.items() if now - at < _SAME_WARNING_S}
            self._warned[part, message] = now

    def _show_counts(self, counts: Counts) -> None:
        self._screen.footer(f"{counts.words()} · Ctrl-C stops")


async def _make_topics(cluster: Cluster, plan: Plan) -> int:
    """Make those that are missing; the number that the plan needs. Raises TopicMismatch, ConnectionError, KafkaError."""
    providers = plan.config.providers.configured()
    topics = [*cluster.topics.common(), *(topic for name in providers for topic in cluster.topics.of_provider(name))]
    await ensure_topics(cluster, topics)
    return len(topics)


def _short(path: Path) -> str:
    """Relative to where we are, when it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)

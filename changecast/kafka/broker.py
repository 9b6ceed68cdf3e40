"""The embedded broker: one Apache Kafka node on loopback, durable in `<data_dir>/kafka`."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from changecast.kafka import diagnosis, processes
from changecast.kafka.archive import ClassArchive
from changecast.kafka.errors import BrokerFailed, DiskFull, PortTaken
from changecast.kafka.fetch import maven_fetch
from changecast.kafka.filelock import FileLock
from changecast.kafka.home import Home, LastStart, Process, new_cluster_id
from changecast.kafka.jars import JarCache, Progress
from changecast.kafka.java import Java, find_java
from changecast.kafka.jvm import Jvm, broker_command, environment, format_command
from changecast.kafka.jvm_process import JvmProcess, end
from changecast.kafka.lock import KAFKA_VERSION, pinned
from changecast.kafka.login import Login
from changecast.kafka.ready import cluster_at
from runtime.outbound import Outbound

START_TIMEOUT = 180.0
"""Seconds until a start counts as failed: after a kill, Kafka reads through the open segment of each partition."""
_POLL = 0.05  # seconds between two looks at a process or a port
_ENDED_POLL = 0.25  # the same, of a broker that is expected to live
_PORT_TRIES = 3  # a free port may be taken between our look and Kafka's
_LEAST_SPACE = 128 * 2**20  # bytes: the open segments' indexes and a few hours of events; Kafka ends itself when a write fails


class EmbeddedBroker:
    """One broker for one data directory. `outbound`: the CAs and the proxy for downloads.

    `port` 0 takes the port of the last time, or a free one. `foreground`: the broker ends with this process, however
    that ends; otherwise it runs on until someone stops it. `sasl`: it asks for a login, on both of its listeners.
    `on_progress(done, total)` tells of bytes downloaded, and `on_step(text)` of each step that takes a while; both are
    called in the event loop of `start`.

    Its methods may be called from different event loops, one after the other. A broker that already runs for the data
    directory is used as it is (`owned` is then False), and `stop` leaves it alone."""

    def __init__(
        self,
        data_dir: Path,
        port: int = 9092,
        heap: str = "256m",
        on_progress: Progress | None = None,
        on_step: Callable[[str], None] | None = None,
        foreground: bool = True,
        cache: JarCache | None = None,
        outbound: Outbound | None = None,
        start_timeout: float = START_TIMEOUT,
        sasl: bool = False,
    ) -> None:
        self.home = Home(data_dir)
        self.owned = False
        self.java: Java | None = None
        self._data_dir = data_dir
        self._wanted_port = port
        self._heap = heap
        self._sasl = sasl
        self._on_progress = on_progress or (lambda *_: None)
        self._on_step = on_step or (lambda _: None)
        self._foreground = foreground
        self._cache = cache or JarCache(pinned(), fetch=maven_fetch(outbound or Outbound()))
        self._start_timeout = start_timeout
        self._process: Process | None = None
        self._login: Login | None = None
        self._child: JvmProcess | None = None
        self._archive: ClassArchive | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The JVM's pid, or None before the start."""
        return self._process.pid if self._process else None

    @property
    def bootstrap_servers(self) -> str:
        """`127.0.0.1:<port>` of the started broker."""
        if self._process is None:
            raise RuntimeError("the broker has not been started")
        return self._process.address

    async def start(self) -> str:
        """Start the broker, or find it running, and return its address once it answers.

        Everything that may be missing is put in place first: Java, the jars, the storage. Raises EmbeddedKafkaError."""
        self.home.make()
        lock = FileLock(self.home.lock)
        while not lock.try_acquire():  # another process starts this broker: then it will be running
            self._on_step("Waiting for another process that starts this broker")
            await asyncio.sleep(0.5)
        try:
            running = await self._settled()
            if running is not None:
                await self._adopt(running)
            else:
                try:
                    await self._start_new()
                except BaseException:  # cancelled, too: nothing that we started stays
                    await self.stop()
                    raise
        finally:
            lock.release()
        return self.bootstrap_servers

    async def stop(self) -> None:
        """Stop the broker in order: SIGTERM, and SIGKILL after 15 s. Does nothing for one that we did not start."""
        if self._process is not None and self.owned:
            await end(self._process, self._child)
            self.home.forget_process()
        self._process, self.owned = None, False
        await self._let_go()

    async def wait_ended(self) -> BrokerFailed:
        """Wait until the started broker is gone, and return (not raise) what its log says about it. `start` may follow."""
        if self._process is None:
            raise RuntimeError("the broker has not been started")
        while self._lives():
            await asyncio.sleep(_ENDED_POLL)
        lines = self._lines()
        if not diagnosis.has_errors(lines):
            return BrokerFailed(
                "The embedded Kafka ended. Its log tells no error: it was stopped or killed from outside.",
                "When nobody did, the system may have, for lack of memory: free some, or lower kafka.embedded_heap. "
                f"{self.home.broker_log} has what it did last.",
            )
        return self._failed("The embedded Kafka ended.", lines)

    async def _settled(self) -> Process | None:
        """The broker that runs here and will go on running. One whose owner was killed is about to end: it is waited for."""
        running = processes.find_running(self.home)
        if running is None or processes.owner_lives(running):
            return running
        self._on_step("Waiting for the last broker to end")
        await end(running)
        return None

    async def _adopt(self, running: Process) -> None:
        if running.sasl != self._sasl:
            raise BrokerFailed(
                f"Kafka already runs at {running.address}, and asks for {'a' if running.sasl else 'no'} login: "
                f"kafka.embedded_auth is {'sasl' if self._sasl else 'none'} by now.",
                f"Stop it with `changecast kafka stop --data-dir {self._data_dir}`, and start again.",
            )
        self._on_step(f"Kafka is already running at {running.address}")
        self._process, self.owned = running, False
        self._login = self.home.login() if running.sasl else None
        self._log_start = _size(self.home.broker_log)
        await self._answers()

    async def _start_new(self) -> None:
        await self._let_go()  # of a broker that ended by itself
        if shutil.disk_usage(self.home.root).free < _LEAST_SPACE:
            raise DiskFull(
                f"The disk of {self.home.root} has less than {_LEAST_SPACE // 2**20} MB free.",
                "Free some space, or choose a data directory on another disk with data_dir or --data-dir.",
            )
        port = self._choose_port()
        self._login = self.home.make_login() if self._sasl else None
        jvm = await self._jvm()
        await self._format(jvm, port)
        for attempt in range(1, _PORT_TRIES + 1):
            try:
                await self._launch(jvm, port)
                break
            except PortTaken:
                if attempt == _PORT_TRIES:
                    raise
                await self._let_go()
                port = self._choose_port()  # ours is taken: raises, and says by whom; the controller's: another one
        if self._archive is not None:
            self._archive.build()

    async def _let_go(self) -> None:
        """Release what goes with a process: its leash, and the archive that is built from it."""
        if self._archive is not None:
            await asyncio.to_thread(self._archive.close)
            self._archive = None
        if self._child is not None:
            await asyncio.to_thread(self._child.close)
            self._child = None

    def _choose_port(self) -> int:
        if self._wanted_port:
            processes.require_free(self._wanted_port)
            return self._wanted_port
        last = self.home.last_start()
        return last.port if last is not None and processes.is_free(last.port) else processes.free_port()

    async def _jvm(self) -> Jvm:
        self.java = await asyncio.to_thread(find_java)
        if self._cache.missing():
            self._on_step(f"Downloading Apache Kafka {KAFKA_VERSION}")
        loop, stop = asyncio.get_running_loop(), threading.Event()

        def tell(done: int, total: int) -> None:
            loop.call_soon_threadsafe(self._on_progress, done, total)

        try:
            jars = await asyncio.to_thread(self._cache.ensure, tell, stop)
        finally:
            stop.set()  # cancelled while it downloads: the thread ends too
        archive = ClassArchive(self._cache.folder, self.java, jars)
        record = None
        if self._foreground:  # building one takes longer than a start: someone has to stay
            self._archive = archive
            record = archive.record()
        return Jvm(self.java.path, jars, archive.found(), record)

    async def _format(self, jvm: Jvm, port: int) -> None:
        if self.home.cluster_id() is not None:
            return
        self._on_step("Preparing the storage")
        self.home.write_properties(port, processes.free_port(besides=port), self._login)
        run = await asyncio.create_subprocess_exec(
            *format_command(jvm, self.home, new_cluster_id()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
        try:
            output, _ = await run.communicate()
        except asyncio.CancelledError:
            run.kill()
            raise
        if run.returncode != 0:
            raise self._failed(
                f"Kafka could not prepare its storage in {self.home.data}.",
                output.decode(errors="replace").splitlines(),
            )

    async def _launch(self, jvm: Jvm, port: int) -> None:
        self._on_step(f"Starting Apache Kafka {KAFKA_VERSION} on 127.0.0.1:{port}")
        self.home.write_properties(port, processes.free_port(besides=port), self._login)
        self._log_start = _size(self.home.broker_log)
        with self.home.disk_errors():
            self._child = JvmProcess(broker_command(jvm, self.home, self._heap), self.home.jvm_log, leash=self._foreground)
        pid = await self._child.pid()
        created = processes.created(pid)
        if pid is None or created is None:
            raise self._failed("The embedded Kafka's Java process ended at once.", self._lines())
        owner_pid, owner_created = processes.this_process() if self._foreground else (None, None)
        self._process, self.owned = Process(pid, created, port, KAFKA_VERSION, owner_pid, owner_created, self._sasl), True
        self.home.write_process(self._process)
        self.home.write_last_start(LastStart(KAFKA_VERSION, port))
        try:
            await self._answers()
        except BrokerFailed:
            if self._archive is not None and self.home.crash_report(pid).exists():
                self._archive.distrust()
            raise

    async def _answers(self) -> None:
        """Return when the broker answers as the cluster that it is. Raises BrokerFailed or PortTaken."""
        assert self._process is not None
        deadline = time.monotonic() + self._start_timeout
        while time.monotonic() < deadline:
            if not self._lives():
                failure = self._failed("The embedded Kafka did not start.", self._lines())
                raise self._port_taken() if "Address already in use" in failure.what else failure
            # Its own id: another Kafka on that port is not the answer waited for.
            if await cluster_at(self._process.port, self._login) == self.home.cluster_id():
                # What it complains of while its parts find each other is over; only what follows tells why it ends.
                self._log_start = _size(self.home.broker_log)
                return
            await asyncio.sleep(_POLL)
        raise self._failed(
            f"The embedded Kafka (pid {self._process.pid}) runs, but has not answered on {self._process.address} "
            f"for {self._start_timeout:.0f} s.",
            self._lines(),
        )

    def _port_taken(self) -> PortTaken:
        return PortTaken("A port that was free is taken now.", "Start again, or set kafka.embedded_port to another port.")

    def _lives(self) -> bool:
        if self._child is not None:
            self._child.reap()
        return self._process is not None and processes.lives(self._process.pid, self._process.created)

    def _lines(self) -> list[str]:
        """What the JVM has written since its start, and then what the broker has."""
        lines = diagnosis.read_since(self.home.jvm_log, 0)
        return [*lines, *diagnosis.read_since(self.home.broker_log, self._log_start)]

    def _failed(self, what: str, lines: list[str]) -> BrokerFailed:
        meaning, remedy = diagnosis.diagnose(lines, self.home.root.parent)
        told = "".join(f"\n  {line}" for line in diagnosis.telling_lines(lines))
        return BrokerFailed(f"{what} {meaning}".rstrip() + told, remedy)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

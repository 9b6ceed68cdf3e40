"""The Kafka that the tests run against: one broker for the whole run.

The first that is there: `KAFKA_BOOTSTRAP_SERVERS`; a container, when a Docker daemon answers and has or can get the image;
the embedded broker in a folder of its own. Topics of different tests are kept apart by their prefix.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from changecast.kafka import EmbeddedBroker

_T = TypeVar("_T")

SERVERS_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
"""Names a broker to use instead of one that the tests start."""

IMAGE = "confluentinc/cp-kafka:7.6.0"  # the one that testcontainers' start script is made for
_DAEMON_TIMEOUT = 5  # seconds
_PULL_TIMEOUT = 120  # seconds: longer than that, the embedded broker is the better answer
_START_TIMEOUT = 90  # seconds


class NoContainer(Exception):
    """Why there is no Kafka from Docker."""


@contextmanager
def running_broker(say: Callable[[str], None]) -> Iterator[str]:
    """Yields the bootstrap servers. `say` is told which Kafka it is, and why not the one before it."""
    if given := os.environ.get(SERVERS_VARIABLE):
        say(f"Kafka: {given} ({SERVERS_VARIABLE})")
        yield given
        return
    try:
        container = started_container()
    except NoContainer as reason:
        say(f"Kafka: embedded, since {reason}")
        with embedded() as servers:
            yield servers
        return
    try:
        servers = str(container.get_bootstrap_server())
        say(f"Kafka: {IMAGE} at {servers}")
        yield servers
    finally:
        container.stop()


@contextmanager
def embedded() -> Iterator[str]:
    """An embedded broker on a free port, gone at the end, and with this process at the latest."""
    with tempfile.TemporaryDirectory(prefix="changecast-test-") as folder:
        # the topics of a whole run have thousands of partitions: with little memory they would cost it half of its time
        broker = EmbeddedBroker(Path(folder), port=0, heap="768m")
        # Each call has a loop of its own: the tests' loops come and go between the two.
        servers = asyncio.run(broker.start())
        try:
            yield servers
        finally:
            asyncio.run(broker.stop())


def started_container() -> Any:
    """A testcontainers KafkaContainer that answers. Raises NoContainer with the reason."""
    try:
        import docker
        from docker.errors import DockerException, ImageNotFound
        from testcontainers.community.kafka import KafkaContainer
    except ImportError as error:
        raise NoContainer(f"{error.name} is not installed") from error
    try:
        client = docker.from_env(timeout=_DAEMON_TIMEOUT)
        client.ping()
    except (DockerException, OSError) as error:
        raise NoContainer("no Docker daemon answers") from error
    try:
        client.images.get(IMAGE)
    except ImageNotFound:
        slow_client = docker.from_env(timeout=_PULL_TIMEOUT)
        within(_PULL_TIMEOUT, f"pulling {IMAGE}", lambda: slow_client.images.pull(IMAGE))
    except (DockerException, OSError) as error:
        raise NoContainer(f"Docker answers with {error}") from error
    # Its clean-up container is one more image to pull; the fixture stops what it starts.
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    container = KafkaContainer(IMAGE).with_kraft()
    container.with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
    container.with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
    container.with_env("KAFKA_TRANSACTION_PARTITION_VERIFICATION_ENABLE", "false")
    container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
    try:
        return within(_START_TIMEOUT, f"starting {IMAGE}", lambda: container.start(timeout=_START_TIMEOUT))
    except NoContainer:
        with suppress(DockerException, OSError):
            container.stop()
        raise


def within(seconds: float, doing: str, call: Callable[[], _T]) -> _T:
    """`call()` in a thread of its own. NoContainer when it fails or takes longer; the thread is then left to itself."""
    outcome: list[_T] = []
    failure: list[Exception] = []

    def run() -> None:
        try:
            outcome.append(call())
        except Exception as error:  # noqa: BLE001 - whatever Docker's libraries raise, it is told as the reason
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if outcome:
        return outcome[0]
    if failure:
        raise NoContainer(f"{doing} failed ({type(failure[0]).__name__}: {failure[0]})") from failure[0]
    raise NoContainer(f"{doing} takes longer than {seconds:.0f} s")

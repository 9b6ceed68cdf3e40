"""The Kafka that the tests run against: one broker for the whole run, chosen by `--kafka` and by nothing else.

`embedded` (the default) is changecast's own broker in a temporary folder. `docker` is a container, and an error where Docker
cannot provide one. `HOST:PORT` is a cluster that runs already; KAFKA_BOOTSTRAP_SERVERS is the default for it. `none` leaves
the tests out that need Kafka. Topics of different tests are kept apart by their prefix.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from changecast.kafka import EmbeddedBroker
from tests.evidence import tail

SERVERS_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
EMBEDDED, DOCKER, NONE = "embedded", "docker", "none"

_CONNECT_S = 5.0


@dataclass(frozen=True)
class RunKafka:
    """The broker of this run."""

    servers: str
    kind: str
    log: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} at {self.servers}"

    def trouble(self) -> str | None:
        """Why the broker cannot be reached, or None when one of its addresses accepts a connection."""
        errors = []
        for server in self.servers.split(","):
            host, _, port = server.strip().rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
            except OSError as error:
                errors.append(f"{server}: {error.strerror or error}")
            else:
                return None
        return "; ".join(errors)

    def report(self) -> str:
        """For a test that failed: which Kafka it used, and whether that is still there."""
        trouble = self.trouble()
        if trouble is None:
            return f"{self}; it answers"
        lines = [f"{self}; IT IS GONE ({trouble}), and this failure may come of that"]
        if self.log is not None and Path(self.log).is_file():
            lines.append(f"the last lines of its log:\n{tail(Path(self.log))}")
        return "\n".join(lines)


@contextmanager
def running_broker(choice: str) -> Iterator[RunKafka]:
    """The broker that `--kafka` names, started where it must be, and stopped at the end."""
    if choice == EMBEDDED:
        with embedded() as kafka:
            yield kafka
    elif choice == DOCKER:
        from tests.broker_container import container

        with container() as servers:
            yield RunKafka(servers, "a Docker container")
    else:
        yield RunKafka(choice, "the cluster that was named")


@contextmanager
def embedded() -> Iterator[RunKafka]:
    """An embedded broker on a free port, gone at the end, and with this process at the latest."""
    with tempfile.TemporaryDirectory(prefix="changecast-test-") as folder:
        # the topics of a whole run have thousands of partitions: with little memory they would cost it half of its time
        broker = EmbeddedBroker(Path(folder), port=0, heap="768m")
        # Each call has a loop of its own: the tests' loops come and go between the two.
        servers = asyncio.run(broker.start())
        try:
            yield RunKafka(servers, "the embedded broker", str(broker.home.broker_log))
        finally:
            asyncio.run(broker.stop())

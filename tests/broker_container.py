"""A Kafka in a Docker container, for `--kafka docker`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

IMAGE = "confluentinc/cp-kafka:7.6.0"  # the one that testcontainers' start script is made for
_DAEMON_TIMEOUT_S = 60
_START_TIMEOUT_S = 90


@contextmanager
def container() -> Iterator[str]:
    """Yields the bootstrap servers. Ends the run with a message where Docker does not answer or has no such image."""
    import docker
    from docker.errors import DockerException
    from testcontainers.community.kafka import KafkaContainer

    try:
        docker.from_env(timeout=_DAEMON_TIMEOUT_S).ping()
    except (DockerException, OSError) as error:
        pytest.exit(f"--kafka docker: no Docker daemon answers ({error}). Use --kafka embedded, which needs none.", 1)
    # Its clean-up container is one more image to pull; the container is stopped below.
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    kafka = KafkaContainer(IMAGE).with_kraft()
    kafka.with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
    kafka.with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
    kafka.with_env("KAFKA_TRANSACTION_PARTITION_VERIFICATION_ENABLE", "false")
    kafka.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
    try:
        kafka.start(timeout=_START_TIMEOUT_S)
        yield str(kafka.get_bootstrap_server())
    finally:
        kafka.stop()

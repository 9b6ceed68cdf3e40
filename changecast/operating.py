"""What an operator's command works on: the config as the running program uses it, and the Kafka that it runs on.

`up` hands its decisions to its workers in their environment. A command typed in another terminal has none of that, and must come to
the same answers: that the sandbox is watched, where its data is, which port the embedded broker took.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from changecast.kafka import status
from changecast.kafka.login import logged_in, read_login
from changecast.up.plan import SANDBOX_FOLDER, SANDBOX_VARIABLE, make_plan
from changecast.up.plan import config_of_worker as config_by_environment
from runtime.kafka import BOOTSTRAP_VARIABLE, Cluster
from schemas.config import DEFAULT_PATH, Config

EXAMPLE = Path("changecast.example.yaml")
KAFKA_WAIT_S = 5.0
"""An operator waits at a terminal: long enough for a cluster far away, and for a hiccup of one that runs."""


class NotRunning(Exception):
    """There is no Kafka to look at, or it does not answer. The message says what to do."""


@dataclass(frozen=True)
class Operating:
    config: Config
    cluster: Cluster


def operating_config(path: Path | None, data_dir: Path | None = None) -> Config:
    """The config that `up` would run with, without starting or writing anything. Raises ConfigError."""
    if os.environ.get(SANDBOX_VARIABLE):
        return config_by_environment(path)
    return make_plan(path or usual_path(), data_dir).config


def usual_path() -> Path:
    """What `make run` takes: changecast.yaml, and before there is one, the example."""
    return EXAMPLE if EXAMPLE.exists() and not DEFAULT_PATH.exists() else DEFAULT_PATH


def watches_sandbox(config: Config) -> bool:
    """Whether the providers are the sandbox's."""
    return config.data_dir.name == SANDBOX_FOLDER


def operating(path: Path | None, data_dir: Path | None = None) -> Operating:
    """The config and a cluster that answers. Raises ConfigError and NotRunning."""
    config = operating_config(path, data_dir)
    if config.kafka.bootstrap_servers is not None or os.environ.get(BOOTSTRAP_VARIABLE):
        cluster = Cluster(logged_in(config.kafka, config.data_dir))
        try:
            asyncio.run(cluster.wait_ready(KAFKA_WAIT_S))
        except ConnectionError as error:
            raise NotRunning(str(error)) from None
        return Operating(config, cluster)
    broker = asyncio.run(status(config.data_dir))
    if broker is None or not broker.answers:
        raise NotRunning(
            f"no Kafka runs for {config.data_dir}: start it with `changecast up`, or alone with `changecast kafka start`; "
            "for a cluster elsewhere set kafka.bootstrap_servers"
        )
    login = read_login(broker.data_dir / "kafka") if broker.process.sasl else None
    return Operating(config, Cluster(login.applied(config.kafka) if login is not None else config.kafka, broker.process.address))

"""Looking at, and stopping, the broker of a data directory from any process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from changecast.kafka import processes
from changecast.kafka.errors import EmbeddedKafkaError
from changecast.kafka.home import Home, Process
from changecast.kafka.jvm_process import end
from changecast.kafka.ready import cluster_at


class BrokerInUse(EmbeddedKafkaError):
    """The broker belongs to a running program, which would lose it."""


@dataclass(frozen=True)
class Status:
    """A running broker. `uptime` in seconds, `memory` resident bytes, `answers`: whether it takes requests now."""

    process: Process
    data_dir: Path
    uptime: float
    memory: int
    answers: bool


async def status(data_dir: Path) -> Status | None:
    """The broker that runs for this data directory, or None."""
    home = Home(data_dir)
    running = processes.find_running(home)
    if running is None:
        return None
    answers = await cluster_at(running.port, home.login() if running.sasl else None) is not None
    try:
        memory = psutil.Process(running.pid).memory_info().rss
    except psutil.NoSuchProcess:  # ended while it was asked
        return None
    return Status(running, home.root.parent, time.time() - running.created, memory, answers)


async def stop(data_dir: Path, force: bool = False) -> Process | None:
    """Stop the broker of this data directory and return what it was, or None when none ran.

    Raises BrokerInUse for one that a running program holds, unless `force`."""
    home = Home(data_dir)
    running = processes.find_running(home)
    if running is None:
        return None
    if running.owner_pid is not None and processes.owner_lives(running) and not force:
        raise BrokerInUse(
            f"The broker at {running.address} (pid {running.pid}) belongs to process {running.owner_pid}, "
            "which runs and would lose it.",
            "Stop that process instead (Ctrl-C, or `kill` with its number); --force stops the broker all the same.",
        )
    await end(running)
    home.forget_process()
    return running

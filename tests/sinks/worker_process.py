"""The sinks worker as a process of its own, to be killed: `python -m tests.sinks.worker_process BOOTSTRAP PREFIX PARTITIONS CONFIG`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from runtime import kafka
from runtime.kafka import Cluster
from schemas.config import Config

# the shortest session that brokers take: after each kill the next worker waits until it is over. Before sinks, which reads it
kafka.SESSION_TIMEOUT_MS, kafka.HEARTBEAT_MS = 6_000, 1_000

from sinks.worker import run  # noqa: E402


async def main(bootstrap_servers: str, prefix: str, partitions: str, config: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run(Config.model_validate_json(config), Cluster.at(bootstrap_servers, prefix, int(partitions)), stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main(*sys.argv[1:]))

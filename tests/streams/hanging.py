"""The real streams worker as a process in which one thing hangs: `python hanging.py BOOTSTRAP PREFIX DATA_DIR WHAT`.

WHAT: `faust` (its stop never returns), `loop` (a stop that blocks the event loop), `lane` (no cycle ever ends), `provider` (beside
one provider another that can't be made, and nothing hangs).
Its patience is cut to seconds, so that a test need not have more.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from runtime.kafka import Cluster
from schemas.config import Config, Pbs
from streams import liveness, worker
from streams.app import StreamsApp
from streams.lane import Lane


async def _never(*_: Any) -> None:
    await asyncio.Event().wait()


async def _blocks(*_: Any) -> None:
    threading.Event().wait()


async def main(servers: str, prefix: str, data_dir: str, what: str) -> None:
    worker.STOP_S, worker.LEAVE_S, worker.CHECK_EVERY_S = 1.0, 2.0, 0.2
    liveness.CONFIRMED_AFTER_S = 0.5
    liveness.Progress.__init__.__defaults__ = (0.5, *liveness.Progress.__init__.__defaults__[1:])
    if what == "lane":
        Lane._cycle = _never  # type: ignore[method-assign]
    elif what != "provider":
        StreamsApp.stop = _never if what == "faust" else _blocks  # type: ignore[method-assign]
    config = Config.model_validate(
        {
            "data_dir": Path(data_dir),
            "kafka": {"bootstrap_servers": servers, "topic_prefix": prefix},
            "providers": {"tmdb": {"token": "t", "base_url": "http://127.0.0.1:9"}},
        }
    )
    if what == "provider":
        broken = Pbs.model_validate({"key": "k", "secret": "s"}).model_copy(update={"base_url": "http://[::1"})
        config = config.model_copy(update={"providers": config.providers.model_copy(update={"pbs": broken})})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await worker.run(config, Cluster(config.kafka), stop)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""The processes that are killed: workers as `changecast worker PART` runs them, and the embedded broker."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from changecast.kafka import EmbeddedBroker
from changecast.leash import LEASH_VARIABLE

ROOT = Path(__file__).parents[2]
_STOP_S = 40.0


class Worker:
    """One worker of a part. It is started again whenever it has ended, as `changecast up` would. `disk`: where it keeps its state."""

    def __init__(self, part: str, number: int, folder: Path, config: bytes) -> None:
        self.name = f"worker {number}"
        self.disk = disk_of(folder, number)
        self.ended_itself: Counter[int] = Counter()
        self._part = part
        self._log = folder / f"worker{number}.log"
        self._config = folder / f"worker{number}.yaml"
        self._config.write_bytes(config)
        self._process: subprocess.Popen[bytes] | None = None
        self._away = False

    def start(self) -> None:
        self._away = False
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "changecast", "worker", self._part, "-c", str(self._config)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, LEASH_VARIABLE: "1"},
            )

    def keep_alive(self) -> bool:
        """Start it again where it has ended by itself; whether it had."""
        if self._process is None or self._away or (code := self._process.poll()) is None:
            return False
        self.ended_itself[code] += 1
        self.start()
        return True

    def kill(self) -> None:
        """By kill -9. It stays away until `start`."""
        self._away = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def stop(self) -> None:
        """By SIGTERM. AssertionError when it takes longer than a supervisor waits."""
        self._away = True
        if self._process is not None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait, _STOP_S)

    def lose_disk(self) -> None:
        shutil.rmtree(self.disk, ignore_errors=True)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


def disk_of(folder: Path, number: int) -> Path:
    return folder / f"worker{number}"


class Broker:
    """The embedded broker, killed and started again on the same port and data."""

    def __init__(self, folder: Path) -> None:
        self._broker = EmbeddedBroker(folder, port=0, start_timeout=120)

    async def start(self) -> str:
        return await self._broker.start()

    async def kill_and_restart(self) -> None:
        pid = self._broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await self._broker.wait_ended()
        await self._broker.start()

    async def stop(self) -> None:
        await self._broker.stop()

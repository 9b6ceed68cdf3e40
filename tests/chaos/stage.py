"""What every run stands on: the broker, the workers, and the faults that come over them."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.plan import Fault, Kind
from tests.chaos.victims import Broker, Worker

RECOVER_WITHIN_S = 120.0
"""After a fault, until something comes out again. Longer than a watchdog needs to end a worker that stands still."""
PROGRESS = 100
"""So much must have come out after a fault before it counts as got over."""


@dataclass(frozen=True)
class Struck:
    """A fault as it happened, in Unix seconds: `over` when the broker answers again, or the worker runs on; None where a worker ended
    by itself."""

    kind: Kind | None
    at: float
    over: float


@dataclass
class Progress:
    """What the line shows. `problems`: what went wrong in the run itself."""

    written: int = 0
    faults: Counter[Kind] = field(default_factory=Counter)
    doing: str = "starting"
    slowest_recovery_s: float = 0.0
    slowest_stop_s: float = 0.0
    problems: list[str] = field(default_factory=list)


class Stage:
    """`come_out()`: how much has come out so far. `folder` holds the broker, the workers' disks, configs and logs."""

    def __init__(self, folder: Path, faults: Sequence[Fault], come_out: Callable[[], int]) -> None:
        self.folder = folder
        self.faults = faults
        self.broker = Broker(folder)
        self.workers: list[Worker] = []
        self.progress = Progress()
        self.struck: list[Struck] = []
        self.faults_over = asyncio.Event()
        self.began = time.monotonic()
        self._come_out = come_out

    def close(self) -> None:
        for worker in self.workers:
            worker.resume()
            worker.kill()

    def keep_alive(self) -> None:
        """Start workers again that have ended by themselves."""
        for worker in self.workers:
            if worker.keep_alive():
                self.struck.append(Struck(None, time.time(), time.time()))

    async def strike(self) -> None:
        """All faults, one after the other."""
        for number, fault in enumerate(self.faults, 1):
            await asyncio.sleep(fault.after)
            self.progress.doing = f"{number} of {len(self.faults)}: {fault.kind}"
            self.progress.faults[fault.kind] += 1
            self._note(f"fault {number}: {fault.kind} (worker {fault.worker})")
            began, at, before = time.monotonic(), time.time(), self._come_out()
            await self._suffer(fault)
            self.struck.append(Struck(fault.kind, at, time.time()))
            if not fault.at_once:
                await self.until(lambda: self._come_out() >= before + PROGRESS, RECOVER_WITHIN_S, f"after {fault.kind}")  # noqa: B023
                self.progress.slowest_recovery_s = max(self.progress.slowest_recovery_s, time.monotonic() - began - fault.lasts)
        self.faults_over.set()

    async def until(self, condition: Callable[[], object], within: float, what: str) -> None:
        """Return when `condition()` is true. TimeoutError after so many seconds, and a problem on record."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                self.progress.problems.append(f"{what}: not within {within:.0f} s")
                raise TimeoutError(self.progress.problems[-1])
            await asyncio.sleep(0.1)

    async def _suffer(self, fault: Fault) -> None:
        worker = self.workers[fault.worker]
        if fault.kind is Kind.KILL_BROKER:
            await self.broker.kill_and_restart()
            return
        if fault.kind is Kind.PAUSE_WORKER:
            worker.pause()
            await asyncio.sleep(fault.lasts)
            worker.resume()
            return
        if fault.kind is Kind.STOP_WORKER:
            await self._stop(worker)
        else:
            worker.kill()
        if fault.kind is Kind.LOSE_DISK:
            worker.lose_disk()
        await asyncio.sleep(fault.lasts)
        worker.start()

    async def _stop(self, worker: Worker) -> None:
        began = time.monotonic()
        try:
            await worker.stop()
        except subprocess.TimeoutExpired:
            self.progress.problems.append(f"{worker.name} did not stop within 40 s")
            worker.kill()
        self.progress.slowest_stop_s = max(self.progress.slowest_stop_s, time.monotonic() - began)

    def _note(self, text: str) -> None:
        with (self.folder / "faults.log").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}\n")

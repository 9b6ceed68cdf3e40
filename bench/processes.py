"""The processes of a measurement, and what they use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from changecast.leash import LEASH_VARIABLE

_ROOT = Path(__file__).parents[1]


class Subject:
    """What is measured: a module of ours, running. `log` has what it says."""

    def __init__(self, module: str, arguments: list[str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=_ROOT,
                env={**os.environ, LEASH_VARIABLE: "1"},
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def resident(self) -> int:
        """Bytes of memory that the process has."""
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def cpu_s(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def last_words(self) -> str:
        return self.log.read_text()[-2000:]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def running(module: str, *arguments: str, log: Path) -> Iterator[Subject]:
    subject = Subject(module, list(arguments), log)
    try:
        yield subject
    finally:
        subject.kill()


@contextmanager
def answering(module: str) -> Iterator[str]:
    """The URL of a server of ours, which prints its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", module], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=_ROOT, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()

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
from runtime.kafka import Cluster

_ROOT = Path(__file__).parents[1]


class Subject:
    """One of `subjects.py`, running."""

    def __init__(self, kind: str, cluster: Cluster, folder: Path, url: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "bench.subjects",
                    kind,
                    cluster.bootstrap_servers,
                    cluster.topics.prefix,
                    str(folder),
                    url,
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
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

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def running(kind: str, cluster: Cluster, folder: Path, url: str) -> Iterator[Subject]:
    subject = Subject(kind, cluster, folder, url)
    try:
        yield subject
    finally:
        subject.kill()


@contextmanager
def answering() -> Iterator[str]:
    """The provider's URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.answers"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=_ROOT, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


def on_disk(folder: Path, name: str) -> int:
    """Bytes of the stores below `folder` whose own folder is named so."""
    stores = [path for path in folder.rglob(f"*{name}*") if path.is_dir()]
    return sum(file.stat().st_size for store in stores for file in store.rglob("*") if file.is_file())

"""One `changecast up` a data directory, and no part of an earlier one beside it.

`<data_dir>/up.lock` is held as long as the process lives (the system frees it, after kill -9 too). It names the process and
its parts, so that the next start knows whom to wait for: parts on a leash end some seconds after the one that held it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from changecast.kafka.processes import is_free
from changecast.up.plan import SANDBOX_FOLDER
from runtime.data_dir import make_private

LEASH_S = 15.0
"""A leashed part has ended by itself after this; what still runs is ended by us."""
_POLL_S = 0.1
_START_SLACK_S = 1.0  # a process's start time is rounded differently by the system and by psutil


class AlreadyRunning(Exception):
    """Another `changecast up` has this data directory. The message says which, and what to do."""


class NoDataDirectory(Exception):
    """The data directory can't be made or used. The message says which, and what to do."""


@dataclass(frozen=True)
class Known:
    """A process as it can be found again: the number alone may since have gone to another."""

    name: str
    pid: int
    started: float

    @classmethod
    def of(cls, name: str, pid: int) -> Known | None:
        with contextlib.suppress(psutil.Error):
            return cls(name, pid, psutil.Process(pid).create_time())
        return None

    def living(self) -> psutil.Process | None:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) < _START_SLACK_S and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


class UpLock:
    """Held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, data_dir: Path, config: Path | None = None, kafka_port: int | None = None) -> None:
        """`config`: the file that is to run here, for those who ask. `kafka_port`: what its embedded broker must have."""
        self._data_dir = data_dir
        self._kafka_port = kafka_port
        self._config = config
        self._since = time.time()
        self._descriptor: int | None = None
        self.left_over: tuple[Known, ...] = ()
        self.exposed: str | None = None

    @property
    def path(self) -> Path:
        return self._data_dir / "up.lock"

    def acquire(self) -> None:
        """Take the lock, that of a dead process included; its parts are in `left_over` then. Raises AlreadyRunning, NoDataDirectory."""
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(self.path)
            os.close(descriptor)
            raise AlreadyRunning(_told(self._data_dir, holder, self._kafka_port)) from None
        self._descriptor = descriptor
        self.left_over = tuple(known for known in _parts(_read(self.path)) if known.living() is not None)
        self.record({})

    def _open(self) -> int:
        try:
            whole = self._data_dir.parent if self._data_dir.name == SANDBOX_FOLDER else self._data_dir
            self.exposed = make_private(whole)
            self._data_dir.mkdir(exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            failed = "written in" if self._data_dir.is_dir() else "made"
            raise NoDataDirectory(
                f"the data directory {self._data_dir} can't be {failed} ({error.strerror}).\n"
                "Make it one that you may write in, or choose another with data_dir in the config or --data-dir DIR"
            ) from error

    def record(self, parts: Mapping[str, int]) -> None:
        """Write down who we are and which processes are our parts."""
        assert self._descriptor is not None
        known = [found for name, pid in parts.items() if (found := Known.of(name, pid)) is not None]
        own = psutil.Process()
        content = orjson.dumps(
            {
                "pid": own.pid,
                "started": own.create_time(),
                "since": self._since,
                "config": None if self._config is None else str(self._config.absolute()),
                "parts": [[each.name, each.pid, each.started] for each in known],
            }
        )
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content, 0)

    def release(self) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


@dataclass(frozen=True)
class Running:
    """A `changecast up` at work: its process, and the config file that it was started with."""

    data_dir: Path
    pid: int
    config: Path


def running(data_dir: Path) -> Running | None:
    """Who works on this data directory. The lock itself is not tried: that could get in the way of one that starts just now."""
    content = _read(data_dir / "up.lock")
    with contextlib.suppress(KeyError, TypeError, ValueError):
        holder = Known("up", int(content["pid"]), float(content["started"]))
        if holder.living() is not None:
            return Running(data_dir, holder.pid, Path(content["config"]))
    return None


async def wait_for(left_over: tuple[Known, ...], say: Callable[[str], None], within: float = LEASH_S) -> None:
    """Wait until the parts of an earlier run have ended; after `within` seconds end them."""
    if not left_over:
        return
    say(", ".join(known.name for known in left_over))
    deadline = time.monotonic() + within
    while any(known.living() for known in left_over) and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_S)
    for known in left_over:
        if (process := known.living()) is not None:
            with contextlib.suppress(psutil.Error):
                process.kill()


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, orjson.JSONDecodeError):
        content = orjson.loads(path.read_bytes())
        if isinstance(content, dict):
            return content
    return {}


def _parts(content: dict[str, Any]) -> list[Known]:
    with contextlib.suppress(TypeError, ValueError):
        return [Known(str(name), int(pid), float(started)) for name, pid, started in content.get("parts", [])]
    return []


def _told(data_dir: Path, holder: dict[str, Any], kafka_port: int | None) -> str:
    pid = holder.get("pid")
    who = f"process {pid}" if pid else "another process"
    since = f", since {time.strftime('%H:%M', time.localtime(holder['since']))}" if "since" in holder else ""
    stop = f"Stop it (Ctrl-C in its terminal, or `kill {pid}`)" if pid else "Stop it"
    told = (
        f"changecast already runs on {data_dir} ({who}{since}).\n"
        f"{stop}, or give this one a data directory of its own: changecast up --data-dir DIR"
    )
    if kafka_port is not None and not is_free(kafka_port):
        told += f"\nIts Kafka needs a port of its own then, since {kafka_port} is taken: kafka.embedded_port: 0 in the config picks one"
    return told

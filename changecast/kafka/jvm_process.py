"""The broker's process: started on a leash or on its own, and ended."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from changecast.kafka import processes
from changecast.kafka.home import Process
from changecast.kafka.jvm import environment
from changecast.leash import leashed

STOP_TIMEOUT = 15.0
"""Seconds from SIGTERM to SIGKILL. It takes half a second; what a SIGKILL cuts off is recovered at the next start."""

_POLL = 0.05  # seconds between two looks at a process
_CHILD_POLL = 0.01  # the same for the leash's child, which is there within some 50 ms


class JvmProcess:
    """A JVM that we started. On a leash it ends with us; else it outlives us, and only its pid connects us."""

    def __init__(self, command: Sequence[str], output: Path, leash: bool) -> None:
        """Start `command` with stdout and stderr written to the file `output`. OSError when that cannot be opened."""
        self._leash = leash
        with output.open("wb") as file:
            self._popen = subprocess.Popen(  # noqa: S603 - our own words and paths
                leashed(command) if leash else command,
                stdin=subprocess.PIPE if leash else subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=environment(),
                start_new_session=True,  # Ctrl-C is for us: the broker ends last, when we say so
            )

    async def pid(self) -> int | None:
        """The JVM's pid, with a leash that of the leash's child; None when it ended before it could be seen."""
        if not self._leash:
            return self._popen.pid
        while self._popen.poll() is None:
            if children := psutil.Process(self._popen.pid).children():
                return int(children[0].pid)
            await asyncio.sleep(_CHILD_POLL)
        return None

    def reap(self) -> None:
        """Collect it if it has ended, so that it is not taken for a living process."""
        self._popen.poll()

    def close(self) -> None:
        """Let go of the leash, which ends whatever still runs on it, and wait for it."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        self._popen.wait()


async def end(process: Process, child: JvmProcess | None = None) -> None:
    """End a broker: SIGTERM, and SIGKILL after STOP_TIMEOUT. Returns when it is gone. `child` is given when it is ours."""
    deadline = time.monotonic() + STOP_TIMEOUT
    signalled = False
    while processes.lives(process.pid, process.created):
        try:
            if time.monotonic() > deadline:
                psutil.Process(process.pid).kill()
            elif not signalled:
                psutil.Process(process.pid).terminate()
                signalled = True
        except psutil.NoSuchProcess:
            break
        await asyncio.sleep(_POLL)
        if child is not None:
            child.reap()

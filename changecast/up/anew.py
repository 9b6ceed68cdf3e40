"""A worker that goes on with another config: it ends its work in order, and its process executes the same command line once more.

Executing anew, rather than running the part a second time in the same interpreter, is what makes a reload as safe as a restart. Faust
keeps its apps, tables and current event in globals; a shutdown of it that hangs could not be followed by a start; RocksDB holds its
lock as long as anything still refers to the store; what the sinks froze for the garbage collector would never be freed. With exec, the
kernel closes every connection, file and thread, and keeps what others know the worker by: its process id, its place under systemd or
in a container, its log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

from changecast.up.difference import difference
from changecast.up.graces import anew_within
from changecast.up.handover import HANDED_VARIABLE, hand_over
from changecast.up.plan import as_decided
from changecast.up.reload import refusal
from changecast.up.reload_signals import SIGNALS
from schemas.config import Config, ConfigError, Source, config_of, read_source

log = logging.getLogger(__name__)


class Succession:
    """The config of a worker that runs, and its successor: `next` is set when there is one, and the worker is to end for it."""

    def __init__(self, part: str, path: Path, config: Config) -> None:
        self._part = part
        self._path = path
        self._config = config
        self._within = anew_within(part, config)
        self._ends_for_good = False
        self._leaving: threading.Timer | None = None
        self.next: Source | None = None

    async def follow(self, asked: asyncio.Event, stop: asyncio.Event) -> None:
        """Read the config whenever `asked` is set, until cancelled. Say what is wrong with it or what it changes, and set `stop` when
        that concerns us. What is asked while the worker ends already counts too: the last good config is the one to go on with."""
        while True:
            await asked.wait()
            asked.clear()
            try:
                # a long config takes a second, and deliveries need not wait for it
                source, config = await asyncio.to_thread(self._read)
            except ConfigError as error:
                for problem in error.problems:
                    log.error("reload: %s", problem)
                log.error("reload: %s has mistakes: the config from before goes on", self._path)
                continue
            self._consider(source, config)
            if self.next is not None:
                stop.set()

    def cancel(self) -> None:
        """The worker is to end for good."""
        self._ends_for_good = True
        self.next = None
        if self._leaving is not None:
            self._leaving.cancel()

    def _read(self) -> tuple[Source, Config]:
        source = read_source(self._path)
        return source, as_decided(config_of(source).config)

    def _consider(self, source: Source, config: Config) -> None:
        found = difference(self._config, config)
        if found.fixed:
            log.error("reload: %s: nothing is taken over; stop this worker and start it again", refusal(found))
        elif self._part not in found.parts:
            log.info("reload: %s; nothing of it concerns %s", found.words or "nothing has changed", self._part)
            self._config = config
            self.next = source if self.next is not None else None
        elif not self._ends_for_good:
            log.info("reload: %s; %s ends what is under way, and starts anew", found.words, self._part)
            if self.next is None:
                self._leave_at_the_latest()
            self.next = source

    def _leave_at_the_latest(self) -> None:
        self._leaving = threading.Timer(self._within, self._leave)
        self._leaving.daemon = True
        # a thread that takes signals would take those that wait for the successor
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._leaving.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _leave(self) -> None:
        """Whatever hangs is left behind. What was in flight is taken up from what is committed, as after a kill."""
        if self.next is not None:
            log.warning("%s has not ended within %.0f s, and starts anew all the same", self._part, self._within)
            start_anew(self.next)


def start_anew(source: Source) -> NoReturn:
    """Execute this process's command line again, with this config. Signals that ask for a reload must be blocked."""
    logging.shutdown()
    descriptor = hand_over(source)
    os.set_inheritable(descriptor, True)
    environ = {**os.environ, HANDED_VARIABLE: str(descriptor)}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ)  # noqa: S606 - our own command line

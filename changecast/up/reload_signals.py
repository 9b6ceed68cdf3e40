"""Which signals ask for a reload, and which SIGHUP is a terminal that has gone.

SIGHUP has two meanings. Servers (nginx, Prometheus, sshd, what systemd's ExecReload sends) take it as "read your config again"; the
kernel and the shells send it to whatever runs in a terminal that is closed. Programs that take every SIGHUP as a reload outlive their
window and go on unseen; those that take none surprise operators. But the two can be told apart: when a terminal hangs up, the kernel
takes it from the processes before it sends them the signal, and a shell sends its SIGHUPs after that. So SIGHUP ends us where we had
a terminal at the start and have none now, and is a reload everywhere else: while the terminal is there, and for what never had one
(a service, a container) or was told by `nohup` not to mind.

SIGUSR1 is a reload always, as with Caddy and Apache. `changecast reload` sends that: a process that its shell has disowned before the
terminal was closed would else be ended by it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import termios
from collections.abc import Callable

SIGNALS = (signal.SIGHUP, signal.SIGUSR1)
HASTE_S = 0.5
"""A terminal's Ctrl-C can arrive twice (`make` passes it on); one that comes this much later was meant."""


class ReloadSignals:
    """From here to the end of the process the signals call `on_reload`, or `on_hangup` when our terminal has gone."""

    def __init__(self, on_reload: Callable[[], None], on_hangup: Callable[[], None]) -> None:
        self._on_reload, self._on_hangup = on_reload, on_hangup
        # asyncio's handler takes the place of what nohup has set
        self._nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._minds_hangup = not self._nohup and _has_terminal()
        self._loop = asyncio.get_running_loop()
        for number in SIGNALS:
            self._loop.add_signal_handler(number, self._got, number)
        # a worker that has started itself anew kept them waiting meanwhile
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def leave_to_successor(self) -> None:
        """What comes from here on is for the program that this process executes next. Without handlers it would end that: so it waits,
        until there are handlers again. What nohup has set holds there too."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        if self._nohup:
            self._loop.remove_signal_handler(signal.SIGHUP)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _got(self, number: signal.Signals) -> None:
        if number == signal.SIGHUP and self._minds_hangup and not _has_terminal():
            self._on_hangup()
        else:
            self._on_reload()


def _has_terminal() -> bool:
    """Whether there is a controlling terminal, and it answers."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        termios.tcgetattr(terminal)
    except termios.error:
        return False
    finally:
        os.close(terminal)
    return True

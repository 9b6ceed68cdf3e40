"""Run a child process that ends when its parent does, however the parent ends.

The parent holds a pipe to the child's stdin and never writes to it. When the parent dies, by kill -9 too, the
system closes the pipe, and end of file is the signal. That works alike on Linux and macOS and needs no polling.

For a foreign program (Kafka) a launcher stands between: `python leash.py -- CMD…` reads the pipe, and at its end
sends SIGTERM to CMD's process group, SIGKILL after the grace time. Our own workers need no launcher: they call
`end_with_parent()` and read the pipe themselves.

Only the standard library is imported, so that the launcher starts in some 50 ms under `python -I -S`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

LEASH_VARIABLE = "CHANGECAST_LEASH"
"""Set to "1" in the environment of a Python worker whose stdin is a pipe held by its parent."""

GRACE = 10.0
"""Seconds from SIGTERM to SIGKILL: nothing outlives the parent by more than 15 s, with time to spare."""

_WORKER_GRACE = 12.0  # longer than a launcher's: a worker that ends late still finds its broker for most of it
_PR_SET_PDEATHSIG = 1
_USAGE = "usage: python -m changecast.leash [--grace SECONDS] -- COMMAND [ARGUMENT…]"


def leashed(command: Sequence[str], grace: float = GRACE) -> list[str]:
    """The command line that runs `command` on a leash. Start it with `stdin=subprocess.PIPE`, keep the Popen object for
    as long as the child shall live, and never write to the pipe. SIGTERM or SIGINT to it ends the child likewise; its
    exit code is the child's (128 + n when signal n ended the child)."""
    # By path and with -I -S: neither site-packages nor the working directory is read. That is most of Python's start.
    return [sys.executable, "-I", "-S", __file__, "--grace", str(grace), "--", *command]


def end_with_parent(grace: float = _WORKER_GRACE) -> bool:
    """Make this process end when its parent is gone, if the parent asked for it by `LEASH_VARIABLE`. Whether it did.

    At end of file on stdin this process gets SIGTERM, as if someone stopped it, and after `grace` seconds it is ended
    outright. The variable is removed, so that children of this process, who have another stdin, don't obey it."""
    if os.environ.pop(LEASH_VARIABLE, None) != "1":
        return False

    def watch() -> None:
        _read_to_end(0)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os._exit(1)

    threading.Thread(target=watch, name="leash", daemon=True).start()
    return True


def _read_to_end(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # closed under us: the parent is out of reach all the same
        while os.read(descriptor, 4096):
            pass


def _die_with_launcher() -> None:
    """In the child, before exec, on Linux: if the launcher itself is killed, the kernel sends SIGTERM to the child."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _run(command: Sequence[str], grace: float) -> int:
    """Start `command`, end it when stdin ends or a signal comes, and return its exit code."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    # The number of each signal that arrives is written to the pipe by the interpreter: the handlers have nothing to do.
    signal.set_wakeup_fd(wake_write)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    try:
        child = subprocess.Popen(  # noqa: S603 - our caller's own command
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # its own group: signalled as a whole, and out of reach of the terminal's Ctrl-C
            # Safe: no thread has been started yet.
            preexec_fn=_die_with_launcher if sys.platform == "linux" else None,  # noqa: PLW1509
        )
    except OSError as error:
        print(f"leash: {command[0]} did not start: {error.strerror}", file=sys.stderr)
        return 127

    ending, ended = threading.Event(), threading.Event()

    def guard() -> None:
        signal_number = _wait_for_end(wake_read)
        ending.set()
        _signal_group(child.pid, signal_number)
        # The child itself, and whatever it started and may leave behind.
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and _group_lives(child.pid):
            time.sleep(0.05)
        _signal_group(child.pid, signal.SIGKILL)
        ended.set()

    threading.Thread(target=guard, daemon=True).start()
    code = child.wait()
    if ending.is_set():
        ended.wait(grace + 1)
    return code if code >= 0 else 128 - code


def _wait_for_end(wake_read: int) -> int:
    """Block until stdin ends (the parent is gone) or a signal arrives; the signal to hand on to the child."""
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            return os.read(wake_read, 1)[0]
        if not os.read(0, 4096):
            return signal.SIGTERM


def _signal_group(group: int, signal_number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
        os.killpg(group, signal_number)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main(arguments: Sequence[str]) -> int:
    """The launcher: `[--grace SECONDS] -- COMMAND…`. Exit code 2 for a wrong call, 127 when COMMAND does not start."""
    options, separator, command = _split(arguments)
    if not separator or not command or len(options) not in (0, 2) or options[:1] not in ([], ["--grace"]):
        print(_USAGE, file=sys.stderr)
        return 2
    return _run(command, float(options[1]) if options else GRACE)


def _split(arguments: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in arguments:
        return list(arguments), False, []
    at = list(arguments).index("--")
    return list(arguments[:at]), True, list(arguments[at + 1 :])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Which process is the broker of a data directory, and which one sits on a port."""

from __future__ import annotations

import contextlib
import os
import socket

import psutil

from changecast.kafka.errors import PortTaken
from changecast.kafka.home import Home, Process

MAIN_CLASS = "kafka.Kafka"
_CLOCK_STEP = 2.0  # seconds by which a creation time may seem to move when the system's clock is set


def find_running(home: Home) -> Process | None:
    """The live broker of this data directory, or None. A noted process that is gone, or a pid that now belongs to another
    program, counts as none; a broker that nobody noted is found by its command line."""
    noted = home.process()
    if noted is not None and _is_broker(noted, home):
        return noted
    last = home.last_start()
    if last is None:
        return None
    for process in psutil.process_iter(["pid", "cmdline", "create_time"]):
        command = process.info["cmdline"] or []
        if command[-2:] == [MAIN_CLASS, str(home.properties)] and "--" not in command:
            return Process(
                process.info["pid"], process.info["create_time"], last.port, last.kafka_version, sasl=home.asks_for_login()
            )
    return None


def lives(pid: int, created_at: float | None) -> bool:
    """Whether the process `pid` that was created at that time still runs (a zombie does not)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return created_at is None or bool(abs(process.create_time() - created_at) <= _CLOCK_STEP)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def created(pid: int | None) -> float | None:
    """When the process was created, in seconds since the epoch; None when there is none."""
    try:
        return None if pid is None else float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def owner_lives(process: Process) -> bool:
    """False when whoever holds the broker's leash is gone, so that the broker is about to end."""
    return process.owner_pid is None or lives(process.owner_pid, process.owner_created)


def this_process() -> tuple[int, float]:
    """Our own pid and creation time."""
    return os.getpid(), psutil.Process().create_time()


def free_port(besides: int = 0) -> int:
    """A port of 127.0.0.1 that nobody uses at this moment, and not the one that has been chosen for something else already: the system
    may well name the same port twice."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port != besides:
            return port


def is_free(port: int) -> bool:
    """Whether a server may listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        # As Java does it: connections of a broker that has just ended don't block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(port: int) -> None:
    """Raises PortTaken, with the process that has the port where the system tells it."""
    if not is_free(port):
        raise PortTaken(
            f"Port {port} of 127.0.0.1 is taken by {occupant(port)}.",
            "Set kafka.embedded_port to a free port (0 picks one), "
            "or, if that is a Kafka you want to use, kafka.bootstrap_servers to its address.",
        )


def occupant(port: int) -> str:
    """Who listens on the port, in words."""
    unknown = "another process, which this user may not see"
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS tells it to root only
        return unknown
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and getattr(connection.laddr, "port", None) == port and connection.pid:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(connection.pid)
                command = process.cmdline()
                if command[-2:-1] == [MAIN_CLASS]:
                    return f"another embedded Kafka, that of {command[-1]} (pid {process.pid})"
                return f"{process.name()} (pid {process.pid})"
    return unknown


def _is_broker(noted: Process, home: Home) -> bool:
    """The command line settles it: it names our own properties file. The creation time serves where that can't be read."""
    try:
        process = psutil.Process(noted.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        try:
            return bool(process.cmdline()[-1:] == [str(home.properties)])
        except psutil.AccessDenied:
            return lives(noted.pid, noted.created)
    except psutil.NoSuchProcess:
        return False

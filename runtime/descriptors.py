"""File descriptors: as many as the system gives, and how their shortage is told from a receiver's or provider's own trouble."""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket

log = logging.getLogger(__name__)

_WANTED = 65_536
_WHERE_THAT_IS_REFUSED = 10_240
"""macOS' own bound, where it says that there is none."""
_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE})


class OutOfDescriptors(OSError):
    """This process (EMFILE) or machine (ENFILE) can open no more files or sockets. Nothing has been sent."""


def raise_soft_limit() -> int:
    """Raise this process's soft limit as far as its hard limit allows, to 65,536 at most. Returns the soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (_WANTED, _WHERE_THAT_IS_REFUSED):
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft == resource.RLIM_INFINITY or soft >= most:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError) as problem:
            log.info("the limit of %d open files stays: raising it to %d was refused: %s", soft, most, problem)
        else:
            log.debug("limit of open files raised from %d to %d", soft, most)
            return most
    return soft


def soft_limit() -> int:
    """How many files this process may have open; 65,536 where there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WANTED if soft == resource.RLIM_INFINITY else soft


def is_shortage(problem: OSError) -> bool:
    """Whether an error is a lack of descriptors; also one of several that aiohttp has put together, whose numbers are lost."""
    return problem.errno in _SHORTAGE or any(os.strerror(number) in str(problem) for number in _SHORTAGE)


def exhausted() -> bool:
    """Whether no socket can be opened now: for libraries that report it as something else."""
    try:
        socket.socket().close()
    except OSError as problem:
        return problem.errno in _SHORTAGE
    return False

"""Reading the logs of the parts: what is new in them, and the line that says why a part ended."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from runtime.logs import UNCAUGHT, LogLine, brief, parse_line

_TAIL_BYTES = 64 * 1024
_OWN = ("producers", "streams", "sinks", "runtime", "schemas", "changecast")
_CODE_FRAME = re.compile(r"\s|Traceback |During handling|The above exception|[~^]+$")
"""A line of a Python traceback that is not the error itself: those are indented, or fixed phrases."""


class LogTail:
    """What is appended to a file from now on, or from its beginning where it does not exist yet. Survives its truncation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def new_lines(self) -> list[str]:
        """The whole lines since the last call."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._position:
                    self._position, self._rest = 0, b""
                file.seek(self._position)
                content = file.read()
        except FileNotFoundError:
            return []
        self._position += len(content)
        *whole, self._rest = (self._rest + content).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]


def worth_showing(line: LogLine) -> bool:
    """Whether a person who watches wants to know: our own warnings. What libraries warn of stays in the file, since the parts
    that use them say what matters of it."""
    if line.message.startswith(UNCAUGHT):
        return False  # the end of the process is told with it
    own = line.logger.split(".", 1)[0] in _OWN
    return line.level >= (logging.WARNING if own else logging.CRITICAL)


def text_since(log: Path, since: int = 0) -> str:
    """What was written behind byte `since`, the last of it where that is much. Empty for a log that is not there."""
    try:
        with log.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(since if since <= size else 0, size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace").strip("\n")
    except FileNotFoundError:
        return ""


def last_error(log: Path, since: int = 0) -> str | None:
    """The last error that a part wrote behind byte `since`: of its log lines that of level ERROR or worse, else the last line
    of another form (a traceback ends with its error). None when there is neither."""
    parsed = [(line, parse_line(line)) for line in text_since(log, since).splitlines() if line.strip()]
    for _, told in reversed(parsed):
        if told is not None and told.level >= logging.ERROR:
            return brief(told.message)
    for line, told in reversed(parsed):
        if told is None and not _CODE_FRAME.match(line):
            return line.strip()
    return None

"""Logging of the workers: one line an event on stderr, and log files that stay small.

    2025-01-21T04:46:31.250Z WARNING producers.tmdb.poll: page 3 of movie/changes is broken

Workers write to stderr; who starts them says where that goes (`changecast up`: a file a part; a container: its log).
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from schemas import redaction

MAX_LOG_BYTES = 5 * 1024 * 1024
"""A part's log and the older one beside it stay below this each: a fortnight of calm days, minutes of a crash loop."""
_FRAMES = 12
_CHATTY = ("aiokafka", "faust", "mode", "kafka", "httpx", "httpcore", "aiohttp.access", "asyncio")
"""Libraries that tell their routine at INFO."""

UNCAUGHT = "ended by an error"
"""The message of an error that nobody caught: the last line of a process."""
_AT = " [at "
_LINE = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z) (?P<level>[A-Z]+) (?P<logger>\S+): (?P<message>.*)")


@dataclass(frozen=True)
class LogLine:
    """A line of a log, taken apart. `level` is one of logging's numbers."""

    time: str
    level: int
    logger: str
    message: str


def parse_line(line: str) -> LogLine | None:
    """None for what was not written by this logging: a crash of the interpreter, another program's words."""
    match = _LINE.fullmatch(line.rstrip("\n"))
    level = logging.getLevelNamesMapping().get(match["level"]) if match else None
    if match is None or level is None:
        return None
    return LogLine(match["time"], level, match["logger"], match["message"])


def brief(message: str) -> str:
    """A line's message without the places in the code, for people who watch."""
    return message.split(_AT, 1)[0].removeprefix(f"{UNCAUGHT}: ")


class OneLine(logging.Formatter):
    """An event in one line, its exception and traceback included, with secrets redacted."""

    def __init__(self, redactor: redaction.Redactor = redaction.PROCESS) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            message = f"{message}: {_told(record.exc_info[1])}" if message else _told(record.exc_info[1])
        return f"{moment} {record.levelname} {record.name}: {self._clean(message)}"

    def _clean(self, message: str) -> str:
        return " ⏎ ".join(line.strip() for line in self._redactor.redact(message).splitlines() if line.strip())


def _told(error: BaseException) -> str:
    """`ValueError: no id [at worker.py:31 run > parse.py:12 item]`, and its causes; of a group, each member."""
    if isinstance(error, BaseExceptionGroup):
        return f"{error.message}: " + "; ".join(_told(member) for member in error.exceptions)
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    where = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{said}{_AT}{where}]" + (f" after {_told(cause)}" if cause is not None else "")


def set_up(level: int = logging.INFO, file: Path | None = None) -> None:
    """Log to stderr, or to `file`, from here on; called again, it replaces what it set up before. An error that ends the process
    is one line too."""
    handler = logging.StreamHandler(sys.stderr) if file is None else logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(OneLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)
    redact_uncaught()
    if file is None:
        sys.excepthook = _log_uncaught
        threading.excepthook = _log_of_thread
        sys.unraisablehook = _log_unraisable


def redact_uncaught() -> None:
    """From here on the interpreter's own tracebacks of uncaught errors are redacted too."""
    sys.excepthook = print_uncaught
    threading.excepthook = lambda args: print_uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: print_uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def print_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """As the interpreter does, with secrets redacted."""
    if error is not None and not issubclass(kind, SystemExit):
        print(redaction.redact("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, message: str = UNCAUGHT
) -> None:
    if error is not None and not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger("changecast").critical(message, exc_info=(kind, error, trace))


def _log_of_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread is not None else "a thread"
    _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback, f"{name} ended by an error")


def _log_unraisable(args: sys.UnraisableHookArgs) -> None:
    _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback, "an error that nobody could be given")


@contextlib.contextmanager
def unheard(library: str) -> Iterator[None]:
    """Keep a library from logging what its caller tells in better words."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def older(log: Path) -> Path:
    """Where a log's earlier part is kept: `streams.log.1`."""
    return log.with_name(log.name + ".1")


def bound(log: Path, limit: int = MAX_LOG_BYTES) -> bool:
    """Move the content of a log that has outgrown `limit` bytes to the older one beside it. True when it did.

    The file is copied and cut, not renamed: a process that has it open goes on writing (it must append). A line written
    between the two is lost, which a log can bear."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > limit:
            shutil.copyfile(log, older(log))
            with log.open("r+b") as file:
                file.truncate(0)
            return True
    return False

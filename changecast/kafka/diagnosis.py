"""Why a broker failed, read from the last lines it wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_SHOWN = 6  # lines: the cause and where it comes from, and still a message that one reads
_LONGEST_LINE = 300  # characters
_LEVEL = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ (\w+) ")
_TELLING = re.compile(r"Exception|^Caused by|^Error|^\[?error|OutOfMemory|heap size|SIGSEGV|SIGBUS|fatal error", re.IGNORECASE)
_STACK_FRAME = re.compile(r"^\s+at |^\s*\.\.\. \d+ more")

_MEANINGS: tuple[tuple[str, str, str], ...] = (
    (
        r"No space left on device|Disk quota exceeded",
        "The disk is full.",
        "Free some space and start again: nothing acknowledged is lost.",
    ),
    (
        r"Failed to acquire lock on file",
        "Another Kafka uses this data directory.",
        "Stop it with `changecast kafka stop --data-dir {data_dir}`, or choose another data_dir.",
    ),
    (
        r"Address already in use",
        "The port was taken by something else just before Kafka asked for it.",
        "Start again, or set kafka.embedded_port to a free port (0 picks one).",
    ),
    (
        r"OutOfMemoryError|insufficient memory|Cannot allocate memory",
        "The memory is not enough.",
        "Set kafka.embedded_heap to more (512m), or free some memory.",
    ),
    (
        r"Invalid (initial|maximum) heap size|Too small (initial|maximum) heap|Initial heap size set to a larger value",
        "The JVM does not accept the heap size.",
        "Set kafka.embedded_heap to a size like 256m or 1g.",
    ),
    (
        r"Unsupported.*(feature|metadata\.version)|No MetadataVersion|doesn't match.*version|UnsupportedVersionException",
        "The data is of another Kafka version than this one.",
        "Use the changecast version that wrote it, or move {kafka_dir} away to begin anew "
        "(cursors and undelivered changes stay behind with it).",
    ),
    (
        r"Permission denied|AccessDeniedException|Read-only file system",
        "A file cannot be written.",
        "Make {kafka_dir} writable for you, or choose another data_dir.",
    ),
    (
        r"meta\.properties|node ID not found|bootstrap metadata|Quorum status|InconsistentClusterId|"
        r"Corrupt|CRC|InvalidRecord|KafkaStorageException|EOFException",
        "The data directory is damaged.",
        "Move {kafka_dir} away to begin anew, or put a copy of it back. Keep what you moved: it holds cursors and "
        "undelivered changes.",
    ),
    (
        r"SIGSEGV|SIGBUS|fatal error has been detected by the Java Runtime",
        "The Java runtime crashed.",
        "Try another Java 17+ by JAVA_HOME; {logs} holds its report (hs_err_*.log).",
    ),
)


def diagnose(lines: Sequence[str], data_dir: Path) -> tuple[str, str]:
    """What it means and what to do, for the lines of a broker that failed; ("", a general way out) for none we know."""
    places = {"data_dir": data_dir, "kafka_dir": data_dir / "kafka", "logs": data_dir / "kafka" / "logs"}
    # Only lines that tell of trouble: an orderly start names meta.properties and cluster ids as well.
    text = "\n".join(_of_trouble(lines))
    for pattern, meaning, remedy in _MEANINGS:
        if re.search(pattern, text, re.IGNORECASE):
            return meaning, remedy.format(**places)
    return "", "{logs}/broker.log has the rest.".format(**places)


def telling_lines(lines: Sequence[str]) -> list[str]:
    """The few lines that say what went wrong: errors and causes without their stack, else simply the last lines."""
    plain = [line.rstrip() for line in lines if line.strip() and not _STACK_FRAME.match(line)]
    telling = list(dict.fromkeys(_of_trouble(plain)))
    chosen = telling[-_SHOWN:] or plain[-_SHOWN:]
    return [line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…" for line in chosen]


def has_errors(lines: Sequence[str]) -> bool:
    """Whether any line tells of trouble."""
    return bool(_of_trouble(lines))


def _of_trouble(lines: Sequence[str]) -> list[str]:
    """The lines logged as errors, what follows each of them, and what a JVM says of itself before there is a log. An exception
    that Kafka logs as information (it was not the controller yet, and tried again) is none."""
    chosen = []
    in_error = True
    for line in lines:
        if level := _LEVEL.match(line):
            in_error = level.group(1) in ("ERROR", "FATAL")
            if in_error:
                chosen.append(line)
        elif in_error and _TELLING.search(line):
            chosen.append(line)
    return chosen


def read_since(path: Path, offset: int) -> list[str]:
    """The lines written to a log after `offset` bytes; the whole file when it was rolled meanwhile, [] when there is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    start = offset if offset <= len(content) else 0
    return content[start:].decode(errors="replace").splitlines()

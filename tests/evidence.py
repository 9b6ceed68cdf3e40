"""What a failed test adds to its report: the last lines that the processes and components of the test have logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

LINES = 40
_READ = 1 << 16  # bytes from the end of a file
_FILES = 12  # the ones written last
_outputs: list[tuple[str, Callable[[], Iterable[str]]]] = []


def shown_on_failure(name: str, lines: Callable[[], Iterable[str]]) -> None:
    """Register the output of a process that a test reads from a pipe. Log files below `tmp_path` are found by themselves."""
    _outputs.append((name, lines))


def forget() -> None:
    """Before each test."""
    _outputs.clear()


def sections(folder: Path | None) -> Iterator[tuple[str, str]]:
    """A title and a text for each registered output and for each log file below `folder`."""
    for name, lines in _outputs:
        yield f"output of {name}", _last(list(lines()))
    if folder is not None and folder.is_dir():
        logs = sorted((path for path in folder.rglob("*") if _is_log(path)), key=lambda path: path.stat().st_mtime)
        for path in logs[-_FILES:]:
            yield f"{path.relative_to(folder)}", tail(path)


def tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _READ))
        return _last(file.read().decode(errors="replace").splitlines())


def _last(lines: list[str]) -> str:
    left_out = len(lines) - LINES
    return "\n".join([*([f"… ({left_out} lines before)"] if left_out > 0 else []), *lines[-LINES:]])


def _is_log(path: Path) -> bool:
    """`sinks.log`, `log`, `log-1`; not the segments that Kafka calls `00000000000000000000.log`."""
    named = path.suffix == ".log" or path.name.split("-")[0] == "log"
    return named and not path.stem.isdigit() and path.is_file() and path.stat().st_size > 0

"""What became of a reload, for whoever asked for it: a signal carries no answer, so `up` leaves one in its data directory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ValidationError

_FILE = "up.reload"
_POLL_S = 0.05


class Answer(BaseModel):
    """`read_at`: when the file was read, on the machine's monotonic clock, which all its processes share. `code`: the exit code that
    the command should end with. `text` holds no secret."""

    read_at: float
    code: int
    text: str


def leave(data_dir: Path, answer: Answer) -> None:
    """Whole or not at all. OSError when the disk can't take it."""
    new = data_dir / f"{_FILE}.new"
    new.write_text(answer.model_dump_json(), encoding="utf-8")
    new.replace(data_dir / _FILE)


def ask(data_dir: Path, signal_it: Callable[[], None], within: float) -> Answer | None:
    """Call `signal_it`, and wait for the answer to that: one to an earlier question has read an earlier file. None after `within`
    seconds. What `signal_it` raises is passed on."""
    asked_at = time.monotonic()
    signal_it()
    while time.monotonic() - asked_at < within:
        answer = _last(data_dir)
        if answer is not None and answer.read_at >= asked_at:
            return answer
        time.sleep(_POLL_S)
    return None


def _last(data_dir: Path) -> Answer | None:
    with contextlib.suppress(FileNotFoundError, ValidationError):
        return Answer.model_validate_json((data_dir / _FILE).read_bytes())
    return None

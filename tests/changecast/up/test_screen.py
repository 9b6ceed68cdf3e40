import io
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import pytest

from changecast.up.screen import PlainScreen, Screen, TerminalScreen, open_screen
from changecast.up.view import Row

AT = datetime(2025, 1, 21, 12, 1, 7, tzinfo=UTC)


def play(screen: Screen) -> None:
    screen.say("changecast\n")
    screen.step("Kafka")
    for part in range(101):
        screen.progress("downloading, 43 MB", part / 100)
    screen.done("127.0.0.1:9092")
    screen.step("Streams")
    screen.failed()
    screen.footer("1 changes")
    screen.row(Row(AT, "tmdb", "The Kingsroad", "still added", "cyan", "bold"))
    screen.warn("streams ended (killed by signal 9)", AT)
    screen.error("it can't go on\nlike this")
    screen.close()


async def test_a_pipe_gets_plain_lines() -> None:
    output = io.StringIO()
    play(open_screen(output))

    text = output.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    assert [line for line in text.splitlines() if "downloading" in line] == [
        f"Kafka      downloading, 43 MB {percent} % …" for percent in (0, 25, 50, 75, 100)
    ]
    assert "Kafka      127.0.0.1:9092" in text
    assert "Streams    failed" in text
    assert "Error: it can't go on\nlike this" in text


async def test_a_terminal_gets_the_same_in_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        screen = open_screen(terminal)
        assert isinstance(screen, TerminalScreen)
        play(screen)
        terminal.flush()
        shown = read_all(ours)
    os.close(ours)

    assert "\x1b[" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    for said in ("✓ Kafka", "127.0.0.1:9092", "✗ Streams", "tmdb  The Kingsroad", "!     streams ended", "Error: it can't go on"):
        assert said in plain


def read_all(descriptor: int) -> str:
    os.set_blocking(descriptor, False)
    content = b""
    try:
        while chunk := os.read(descriptor, 65536):
            content += chunk
    except BlockingIOError:
        pass
    return content.decode()


async def test_a_terminal_that_can_move_no_cursor_counts_as_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        assert isinstance(open_screen(terminal), PlainScreen)
    os.close(ours)


async def test_a_reader_that_goes_away_is_noticed_and_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    output: TextIO = os.fdopen(write, "w", buffering=1)
    screen = open_screen(output)

    play(screen)

    assert screen.gone.is_set()

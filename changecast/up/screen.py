"""Where the live view is written: a terminal with colours, a moving step and a footer, or plain lines into a pipe.

Either has the same methods and says the same. A reader that went away (`| head`, a closed terminal) sets `gone`, and is no error:
the parts must still be stopped in order.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from changecast.up.view import Row, plain, styled
from schemas.redaction import redact

_FRAME_S = 0.12
_STEP_NAME = 10
_BAR = 24
_QUARTERS = 4


class Screen(Protocol):
    gone: asyncio.Event

    def step(self, name: str, text: str = "") -> None:
        """Something begins that takes a while."""

    def progress(self, text: str, fraction: float | None = None) -> None:
        """How far it is; `fraction` of 1 where that is known."""

    def done(self, text: str = "") -> None:
        """The step has succeeded."""

    def failed(self) -> None:
        """The step, if one is on, has not."""

    def say(self, text: str = "") -> None:
        """A sentence to the reader."""

    def warn(self, text: str, at: datetime) -> None:
        """Something is not as it should be, and does not stop us."""

    def error(self, text: str) -> None:
        """Why we end."""

    def row(self, row: Row) -> None: ...

    def footer(self, text: str) -> None:
        """What stands below the lines, where there is such a place."""

    def close(self) -> None: ...


def open_screen(output: TextIO | None = None) -> Screen:
    """A terminal's screen where `output` (default: stdout) is one that can move its cursor. FORCE_COLOR makes no terminal of a pipe."""
    output = output or sys.stdout
    console = _Console(file=output, highlight=False, markup=False)
    return TerminalScreen(console) if output.isatty() and not console.is_dumb_terminal else PlainScreen(output)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """rich's own answer ends the program on the spot."""
        raise BrokenPipeError


class PlainScreen:
    def __init__(self, output: TextIO) -> None:
        self.gone = asyncio.Event()
        self._output = output
        self._name = ""
        self._said: str | None = None

    def step(self, name: str, text: str = "") -> None:
        self._name, self._said = name, None
        if text:
            self.progress(text)

    def progress(self, text: str, fraction: float | None = None) -> None:
        if fraction is not None:
            text = f"{text} {int(fraction * _QUARTERS) * 100 // _QUARTERS} %"
        if text != self._said:
            self._said = text
            self._print(f"{self._name:<{_STEP_NAME}} {text} …")

    def done(self, text: str = "") -> None:
        self._print(f"{self._name:<{_STEP_NAME}} {text or 'done'}")
        self._name = ""

    def failed(self) -> None:
        if self._name:
            self._print(f"{self._name:<{_STEP_NAME}} failed")
            self._name = ""

    def say(self, text: str = "") -> None:
        self._print(text)

    def warn(self, text: str, at: datetime) -> None:
        self._print(f"{at.astimezone():%H:%M:%S}  !     {redact(text)}")

    def error(self, text: str) -> None:
        self._print(f"\nError: {redact(text)}")

    def row(self, row: Row) -> None:
        self._print(plain(row))

    def footer(self, text: str) -> None:
        """A pipe has no place that stays."""

    def close(self) -> None:
        """Nothing is open."""

    def _print(self, line: str) -> None:
        if self.gone.is_set():
            return
        try:
            print(line, file=self._output, flush=True)
        except OSError:
            self.gone.set()


class TerminalScreen:
    """Lines scroll; below them stands one line that moves (a step) or changes with the counts (the footer)."""

    def __init__(self, console: Console) -> None:
        self.gone = asyncio.Event()
        self._console = console
        self._live: Live | None = None
        self._animation: asyncio.Task[None] | None = None
        self._name = ""
        self._footer = ""

    def step(self, name: str, text: str = "") -> None:
        self._name = name
        self.progress(text)

    def progress(self, text: str, fraction: float | None = None) -> None:
        bar = ""
        if fraction is not None:
            full = round(fraction * _BAR)
            bar = f"  {'━' * full}{'╌' * (_BAR - full)}"
        line = Text.assemble((f"{self._name:<{_STEP_NAME}} ", "bold"), (text, "dim"), (bar, "cyan"))
        self._below(Spinner("dots", text=line, style="cyan"))
        if self._animation is None:
            self._animation = asyncio.create_task(self._animate())

    def done(self, text: str = "") -> None:
        self._end_step(Text.assemble(("✓ ", "green"), (f"{self._name:<{_STEP_NAME}} ", "bold"), (text, "dim")))

    def failed(self) -> None:
        if self._name:
            self._end_step(Text.assemble(("✗ ", "red"), (self._name, "bold")))

    def say(self, text: str = "") -> None:
        self._print(Text(text))

    def warn(self, text: str, at: datetime) -> None:
        line = Text.assemble((f"{at.astimezone():%H:%M:%S}  ", "dim"), (f"!     {redact(text)}", "yellow"))
        line.no_wrap, line.overflow = True, "ellipsis"
        self._print(line)

    def error(self, text: str) -> None:
        self._print(Text.assemble("\n", ("Error: ", "bold red"), redact(text)))

    def row(self, row: Row) -> None:
        self._print(styled(row, self._console.width))

    def footer(self, text: str) -> None:
        if text != self._footer:
            self._footer = text
            self._below(Text(text, style="dim", no_wrap=True, overflow="ellipsis"))

    def close(self) -> None:
        self._stop_animation()
        if self._live is not None:
            self._guarded(self._live.stop)
            self._live = None
            self._footer = ""

    def _end_step(self, line: Text) -> None:
        self._name = ""
        self.close()
        self._print(line)

    def _below(self, shown: Spinner | Text) -> None:
        if self._live is None:
            self._live = Live(
                shown, console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._guarded(self._live.start)
            # a kill -9 leaves no chance to bring a hidden cursor back
            self._guarded(lambda: self._console.show_cursor(True))
        live = self._live
        self._guarded(lambda: live.update(shown, refresh=True))

    async def _animate(self) -> None:
        while self._live is not None:
            self._guarded(self._live.refresh)
            await asyncio.sleep(_FRAME_S)

    def _stop_animation(self) -> None:
        if self._animation is not None:
            self._animation.cancel()
            self._animation = None

    def _print(self, line: Text) -> None:
        self._guarded(lambda: self._console.print(line))

    def _guarded(self, write: Callable[[], object]) -> None:
        if self.gone.is_set():
            return
        try:
            write()
        except OSError:
            self.gone.set()

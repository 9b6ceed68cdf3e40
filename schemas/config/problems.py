"""What is wrong with a config file, as a compiler would say it: file:line:column, a sentence, the line and a caret under the place."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_WIDEST = 120
"""Columns of a source line that are shown; a longer one is cut around the place."""


@dataclass(frozen=True)
class Snippet:
    """A source line, its secrets masked already; the place is `width` characters from `start` (from 0)."""

    text: str
    start: int
    width: int

    def render(self, line: int) -> list[str]:
        cut = max(0, self.start - _WIDEST // 2) if len(self.text) > _WIDEST else 0
        text = "".join(c if c.isprintable() or c == "\t" else "?" for c in self.text[cut : cut + _WIDEST])
        before = text[: self.start - cut]
        under = text[self.start - cut : self.start - cut + self.width]
        margin = f"{line:>5} | "
        caret = "".join("\t" if character == "\t" else " " * _columns(character) for character in before)
        return [f"{margin}{text}", f"{' ' * 6}| {caret}{'^' * max(1, sum(map(_columns, under)))}"]


def _columns(character: str) -> int:
    """The columns that a terminal gives a character."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `line` and `column` count from 1; None where it is the file as a whole. `path` is the place in the config's
    own terms, `subscriptions[0].match`; empty where the file can't be read that far."""

    file: str
    line: int | None
    column: int | None
    path: str
    message: str
    snippet: Snippet | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.path + ': ' if self.path else ''}{self.message}"

    def render(self) -> str:
        """The sentence, and below it the line with the caret."""
        return "\n".join([str(self), *(self.snippet.render(self.line) if self.snippet and self.line else [])])


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """As they stand in the file."""
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))


class ConfigError(Exception):
    """The config can't be used. Holds all that is wrong with it, in the order of the file. Its text shows no secret."""

    exit_code = 78
    """EX_CONFIG of sysexits.h."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = in_order(problems)

    def __str__(self) -> str:
        return "\n\n".join(problem.render() for problem in self.problems)

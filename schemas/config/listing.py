"""The file's lines as errors may show them: with every secret that stands in them written out replaced by `***`.

A secret is what the models call one, what stands where a section with secrets should, what stands under an unknown key that
sounds like one (`secrett`), and what has the form of one wherever it is. `${NAME}` is no secret: it is shown.
"""

from __future__ import annotations

import difflib
import re

from schemas.config.document import Document, Path, Span, Spot
from schemas.config.problems import Snippet
from schemas.config.shape import is_secret, keys_at, kinds_at, section_at

_MASK = "***"
_ONLY_VARIABLES = re.compile(r"""['"]?(\$\{[A-Za-z_][A-Za-z0-9_]*\})*['"]?""")
_SOUNDS_SECRET = re.compile(r"secret|token|passw|api_?key|user_?key|auth|credential|webhook_?url|^key$", re.IGNORECASE)
_LOOKS_SECRET = re.compile(
    r"whs(?:ec|k)_[^\s'\",}\]]*|xox[a-z]-[^\s'\",}\]]*|eyJ[\w-]{8,}[\w.-]*|(?:Bearer|Basic)\s+[^\s'\",}\]]+"
    r"|(?<=//)[^/@\s'\"]+@|(?<=hooks\.slack\.com/)[^\s'\",}\]]+",
    re.IGNORECASE,
)
_BROKEN_SECRET = re.compile(
    r"(?:secret|token|passw\w*|api_?key|user_?key|auth\w*|credential\w*|webhook_?url|\bkey)\s*['\"]?\s*[:=]\s*(?!['\"]?\$\{)(.+)",
    re.IGNORECASE,
)
_LONG_WORD = re.compile(r"(?<![\w${])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/=-]{16,}")
"""In a text that is no YAML nobody knows what is a secret: a long word of letters and digits may be one."""


def readable_key(key: str) -> str:
    """A key as a message may show it. `token:abc`, where a blank is missing, ends at its colon."""
    head = re.split(r"[:=\s]", key, maxsplit=1)[0][:60]
    shown = "".join(character if character.isprintable() else "?" for character in _LOOKS_SECRET.sub(_MASK, head))
    return shown if head == key else f"{shown}…"


def readable_path(path: Path) -> str:
    """`subscriptions[0].match.provider`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{readable_key(part)}" for part in path)
    return text.removeprefix(".")


class Listing:
    """Makes the snippets of one document."""

    def __init__(self, document: Document) -> None:
        self._lines = document.lines
        self._parsed = document.parsed
        self._secrets = [spot.span for path, spot in document.scalars() if _hides(path, spot)]
        self._secrets += [spot.key for path, spot in document.spots.items() if spot.key is not None and _odd(path)]

    def snippet(self, span: Span) -> Snippet | None:
        """The line of a place; None when there is nothing to see."""
        if span.line >= len(self._lines) or not self._lines[span.line].strip():
            return None
        line = self._lines[span.line]
        end = span.end_column if span.end_line == span.line else len(line)
        return _masked(line, self._ranges(span.line, line), span.column, max(end, span.column + 1))

    def _ranges(self, number: int, line: str) -> list[tuple[int, int]]:
        ranges = [match.span() for match in _LOOKS_SECRET.finditer(line)]
        if not self._parsed:
            ranges += [match.span(1) for match in _BROKEN_SECRET.finditer(line)]
            ranges += [match.span() for match in _LONG_WORD.finditer(line)]
        for span in self._secrets:
            if span.line <= number <= span.end_line:
                start = span.column if number == span.line else len(line) - len(line.lstrip())
                ranges.append((start, span.end_column if number == span.end_line else len(line)))
        return sorted((start, end) for start, end in ranges if end > start)


def _hides(path: Path, spot: Spot) -> bool:
    written = spot.written or ""
    if not written or _ONLY_VARIABLES.fullmatch(written):
        return False
    if is_secret(path) or section_at(path) is not None:
        return True
    return not kinds_at(path) and any(_sounds_secret(path[: depth + 1]) for depth in range(len(path)))


def _sounds_secret(path: Path) -> bool:
    """Whether a key's name, or the right name nearest to it, is a secret's."""
    key = str(path[-1])
    near = difflib.get_close_matches(key, keys_at(path[:-1]), n=1, cutoff=0.5)
    return bool(_SOUNDS_SECRET.search(key)) or any(is_secret((*path[:-1], name)) for name in near)


def _odd(path: Path) -> bool:
    return isinstance(path[-1], str) and readable_key(path[-1]) != path[-1] if path else False


def _masked(line: str, ranges: list[tuple[int, int]], start: int, end: int) -> Snippet:
    """Replaces the ranges (in order) and moves the place along. What lies within a range points at its mask."""
    text, done = "", 0
    starts, ends = start, end
    for first, last in ranges:
        begin = max(first, done)
        if last <= begin:
            continue
        text += line[done:begin] + _MASK
        done = last
        starts = _moved(start, begin, last, len(text), starts, inside=len(text) - len(_MASK))
        ends = _moved(end, begin, last, len(text), ends, inside=len(text))
    text += line[done:]
    return Snippet(text, starts, max(1, ends - starts))


def _moved(position: int, begin: int, last: int, masked_to: int, before: int, *, inside: int) -> int:
    """Where a position of the line stands once `begin..last` of it has become a mask that ends at `masked_to`."""
    if position >= last:
        return masked_to + position - last
    return inside if position > begin else before

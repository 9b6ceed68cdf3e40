"""A text as a reader could decode it: percent-encoding, JSON and Python escapes, HTML entities, and two of these on each other.

A secret is searched in each decoding, so no list of encoded forms has to be complete: upper and lower case hex, other sets of safe
characters (`quote`, `encodeURI`), `\\u002f` and `\\/` all decode to the same. Each decoding knows where its characters stand in the
original, since that is what gets redacted.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_DEPTH = 2
"""Encodings on each other: a URL in a JSON document has two."""

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPE = re.compile(r"(?:\\u[0-9A-Fa-f]{4})+|\\x[0-9A-Fa-f]{2}|\\[\"'\\/bfnrt]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

_BROKEN_OFF = re.compile(
    r"(?:[\udc80-\udcff\ufffd]|%[0-9A-Fa-f]{0,2}|\\+(?:u[0-9A-Fa-f]{0,4}|x[0-9A-Fa-f]{0,2})?|&[#A-Za-z0-9]{0,8})+\Z"
)
"""The beginning of an encoded character at the end of a text."""
LONGEST_BROKEN = 24
"""Characters of that at most."""

Character = tuple[str, int]
"""A decoded character, and the length of its encoded form."""


class Decoding(NamedTuple):
    """`starts` and `ends`: where each character stands in the original. None: this is the original."""

    text: str
    starts: list[int] | None = None
    ends: list[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """`text[start:end]` (not empty), in the original."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def without_broken_end(text: str) -> str:
    """Without the half of an encoded character at its end."""
    return text[:-LONGEST_BROKEN] + _BROKEN_OFF.sub("", text[-LONGEST_BROKEN:])


def decodings(text: str, *, plus: bool = False) -> Iterator[Decoding]:
    """The text itself first. `plus`: also with each `+` as a blank, as forms encode it."""
    original = Decoding(text)
    seen = {text}
    level = [original]
    yield original
    for _ in range(_DEPTH):
        deeper = []
        for decoding in level:
            for pattern, characters in _KINDS:
                decoded = _decoded(decoding, pattern, characters)
                if decoded is not None and decoded.text not in seen:
                    seen.add(decoded.text)
                    deeper.append(decoded)
                    yield decoded
        level = deeper
    if plus and "+" in text:
        spaced = Decoding(text.replace("+", " "))
        yield spaced
        if (decoded := _decoded(spaced, _PERCENT, _percent)) is not None:
            yield decoded


def _decoded(decoding: Decoding, pattern: re.Pattern[str], characters: Callable[[str], list[Character]]) -> Decoding | None:
    text, pieces, starts, ends, done = decoding.text, [], list[int](), list[int](), 0
    for match in pattern.finditer(text):
        _keep(decoding, done, match.start(), starts, ends)
        pieces.append(text[done : match.start()])
        position = match.start()
        for character, length in characters(match[0]):
            pieces.append(character)
            start, end = decoding.span(position, position + length)
            starts += [start] * len(character)
            ends += [end] * len(character)
            position += length
        done = match.end()
    if not done:
        return None
    _keep(decoding, done, len(text), starts, ends)
    pieces.append(text[done:])
    return Decoding("".join(pieces), starts, ends)


def _keep(decoding: Decoding, start: int, end: int, starts: list[int], ends: list[int]) -> None:
    if decoding.starts is None or decoding.ends is None:
        starts.extend(range(start, end))
        ends.extend(range(start + 1, end + 1))
    else:
        starts.extend(decoding.starts[start:end])
        ends.extend(decoding.ends[start:end])


def _percent(run: str) -> list[Character]:
    text = bytes.fromhex(run.replace("%", "")).decode("utf-8", "surrogateescape")
    return [(character, 3 * len(character.encode("utf-8", "surrogateescape"))) for character in text]


def _escape(run: str) -> list[Character]:
    if run[1] == "u":
        units = run.encode("ascii").decode("unicode_escape")
        text = units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return [(character, 12 if ord(character) > 0xFFFF else 6) for character in text]
    if run[1] == "x":
        return [(chr(int(run[2:], 16)), 4)]
    return [(_SHORT.get(run[1], run[1]), 2)]


def _entity(run: str) -> list[Character]:
    return [(html.unescape(run), len(run))]


_KINDS = ((_ESCAPE, _escape), (_PERCENT, _percent), (_ENTITY, _entity))

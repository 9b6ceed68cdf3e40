"""A YAML text as plain values, with the line and column of each. Knows YAML, not what a config means.

Read as YAML 1.2: `yes` and `no` are text, `010` is ten. Dates stay text. Anchors, aliases and merges (`<<`) work.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]
Value = str | int | float | bool | list["Value"] | dict[str, "Value"] | None

_MOST_NODES = 10_000
_NODES_A_CHARACTER = 10
"""How many values a text may come to: no more than its characters, but for aliases. Those can make a small file into a huge value
(each of ten lines naming the one before ten times)."""
_LINE_END = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Span:
    """Where something stands: lines and columns from 0, `end_column` exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True)
class Spot:
    """The places of one value: its key's, and its own. `written` is a scalar as it stands in the file, quotes and all."""

    span: Span
    key: Span | None = None
    written: str | None = None
    style: str | None = None

    @property
    def best(self) -> Span:
        """What to point at: a scalar itself; a mapping, a list or an empty value by its key."""
        return self.key if self.key is not None and not self.written else self.span


@dataclass(frozen=True)
class Flaw:
    """Something that YAML itself doesn't allow, or that we don't."""

    span: Span
    message: str
    path: Path = ()


@dataclass
class Document:
    lines: list[str]
    value: Value = None
    spots: dict[Path, Spot] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)
    parsed: bool = True
    """False: the text is no YAML, there is one flaw and no value."""

    def scalars(self) -> Iterator[tuple[Path, Spot]]:
        return ((path, spot) for path, spot in self.spots.items() if spot.written is not None)

    def at(self, path: Path) -> Value:
        value: Value = self.value
        for part in path:
            value = value[part]  # type: ignore[index]  # a path of spots leads through what it names
        return value


def read_document(text: str) -> Document:
    """Never raises: what is wrong stands in `flaws`."""
    text = text.removeprefix("\ufeff")
    document = Document(_LINE_END.split(text), spots={(): Spot(Span(0, 0, 0, 1))})
    try:
        root = YAML(typ="safe", pure=True).compose(text)
        if root is not None:
            document.value = _Reader(text, document).value(root, (), None)
    except MarkedYAMLError as error:
        _unreadable(document, _mark_span(error), _in_plain_words(error))
    except YAMLError as error:  # a character that YAML doesn't allow; its text shows the character's number
        _unreadable(document, _position_span(text, getattr(error, "position", 0)), f"not YAML: {str(error).splitlines()[0]}")
    except (RecursionError, _TooLargeError):
        _unreadable(document, Span(0, 0, 0, 1), "nested too deeply, or too large once its aliases are written out")
    return document


def _unreadable(document: Document, span: Span, message: str) -> None:
    document.parsed, document.value = False, None
    document.spots = {(): document.spots[()]}
    document.flaws = [Flaw(span, message)]


class _TooLargeError(Exception):
    """More values than any config has."""


class _Reader:
    """Turns nodes into values, filling the document's spots and flaws."""

    def __init__(self, text: str, document: Document) -> None:
        self._text = text
        self._document = document
        self._open: list[int] = []
        self._nodes = 0
        self._most = max(_MOST_NODES, _NODES_A_CHARACTER * len(text))

    def value(self, node: Node, path: Path, key: Span | None) -> Value:
        self._count()
        span = _span(node)
        if isinstance(node, ScalarNode):
            written = self._text[node.start_mark.index : node.end_mark.index]
            self._document.spots[path] = Spot(span, key, written, node.style)
            return self._scalar(node, span, path)
        self._document.spots[path] = Spot(span, key)
        if id(node) in self._open:
            self._flaw(span, "an anchor that stands within itself", path)
            return None
        self._open.append(id(node))
        try:
            return self._collection(node, span, path)
        finally:
            self._open.pop()

    def _collection(self, node: Node, span: Span, path: Path) -> Value:
        if isinstance(node, SequenceNode):
            self._check_tag(node, span, path, "seq")
            return [self.value(item, (*path, index), None) for index, item in enumerate(node.value)]
        self._check_tag(node, span, path, "map")
        own: dict[str, Value] = {}
        merged: list[tuple[Node, Node]] = []
        for key_node, value_node in node.value:
            key_span = _span(key_node)
            if not isinstance(key_node, ScalarNode):
                self._flaw(key_span, "a key is a word, not a list or a mapping", path)
            elif key_node.tag == f"{_TAG}merge":
                merged += self._merged(value_node, path)
            elif (name := str(key_node.value)) in own:
                first = self._document.spots[(*path, name)].key
                line = "" if first is None else f": it stands on line {first.line + 1} already"
                self._flaw(key_span, f'duplicate key "{name}"{line}', (*path, name))
            else:
                own[name] = self.value(value_node, (*path, name), key_span)
        for key_node, value_node in merged:
            name = str(key_node.value)
            if name not in own:
                own[name] = self.value(value_node, (*path, name), _span(key_node))
        return own

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > self._most:
            raise _TooLargeError

    def _merged(self, node: Node, path: Path) -> list[tuple[Node, Node]]:
        """The entries that a merge brings. Each counts as a value, also one that is there already: merges within merges multiply."""
        sources = node.value if isinstance(node, SequenceNode) else [node]
        pairs: list[tuple[Node, Node]] = []
        for source in sources:
            self._count()
            if isinstance(source, MappingNode) and id(source) not in self._open:
                for key, value in source.value:
                    self._count()
                    if isinstance(key, ScalarNode):
                        self._open.append(id(source))
                        pairs += self._merged(value, path) if key.tag == f"{_TAG}merge" else [(key, value)]
                        self._open.pop()
            else:
                self._flaw(_span(node), 'only a mapping, or a list of mappings, can be merged with "<<"', path)
        return pairs

    def _scalar(self, node: ScalarNode, span: Span, path: Path) -> Value:
        text = str(node.value)
        kind = str(node.tag).removeprefix(_TAG)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in ("true", "yes", "on")
        if kind in ("int", "float"):
            return _number(text)
        if kind not in ("str", "timestamp", "merge", "value"):
            self._check_tag(node, span, path, "str")
        return text

    def _check_tag(self, node: Node, span: Span, path: Path, usual: str) -> None:
        if node.tag not in (f"{_TAG}{usual}", None):
            self._flaw(span, f'the tag "{str(node.tag).replace(_TAG, "!!")}" means nothing here: leave it out', path)

    def _flaw(self, span: Span, message: str, path: Path) -> None:
        self._document.flaws.append(Flaw(span, message, path))


_BASES = {"0x": 16, "0o": 8, "0b": 2}


def _number(text: str) -> int | float | str:
    """A number as YAML 1.2 writes it; text that only looks like one stays text."""
    plain = text.replace("_", "").lower()
    sign, digits = (-1, plain[1:]) if plain.startswith("-") else (1, plain.removeprefix("+"))
    if digits in (".inf", ".nan"):
        return sign * (math.inf if digits == ".inf" else math.nan)
    try:
        if digits[:2] in _BASES:
            return sign * int(digits[2:], _BASES[digits[:2]])
        return sign * (int(digits) if digits.isdecimal() else float(digits))
    except ValueError:  # more digits than Python reads, or none
        return text


def _span(node: Node) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(start.line, start.column, end.line, end.column)


def _mark_span(error: MarkedYAMLError) -> Span:
    """Where the parser stopped; for a quote that is never closed, which it notices at the end of the file, where that opens."""
    mark = error.context_mark if _open_quote(error) else error.problem_mark or error.context_mark
    return Span(mark.line, mark.column, mark.line, mark.column + 1) if mark else Span(0, 0, 0, 1)


def _position_span(text: str, position: int) -> Span:
    before = _LINE_END.split(text[:position])
    return Span(len(before) - 1, len(before[-1]), len(before) - 1, len(before[-1]) + 1)


_PLAIN_WORDS = (
    (r"character '\\t'", "a tab: YAML indents with spaces"),
    (
        r"mapping values are not allowed",
        'a ":" that can\'t stand here: check the indentation of this line, or put the value in quotes',
    ),
    (r"could not find expected ':'", 'a key without ":", or a line that is indented too little'),
    (r"expected <block end>", "indented differently from the lines that it belongs to"),
    (r"undefined alias '?([^']*)'?", r'the alias "*\1" names no anchor "&\1" above it'),
    (r"duplicate anchor", "this anchor is defined twice"),
    (r"but found another document", 'a second document ("---"): a config file is one'),
    (r"expected ',' or ('\]'|'\}'), but got", r"a list or mapping in brackets goes on here: a comma or \1 is missing"),
    (r"character ('[@`%|>&*!]') that cannot start", r"a value can't start with \1: put it in quotes"),
    (r"unknown escape character", r'an escape that YAML does not know: double the "\\", or use single quotes'),
)


def _open_quote(error: MarkedYAMLError) -> bool:
    return "quoted scalar" in str(error.context) and "end of stream" in str(error.problem) and error.context_mark is not None


def _in_plain_words(error: MarkedYAMLError) -> str:
    """The frequent mistakes in a sentence; the rare ones in the parser's words."""
    problem, context = str(error.problem or ""), str(error.context or "")
    if _open_quote(error):
        return "the quote that opens here is never closed"
    for pattern, words in _PLAIN_WORDS:
        if match := re.search(pattern, problem):
            return match.expand(words)
    return f"not YAML: {problem or context or 'the text stops too early'}"

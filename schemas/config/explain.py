"""The models' errors as sentences for people, each at its place in the file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.config.document import Document, Path, Span, Spot, Value
from schemas.config.environment import Substituted
from schemas.config.expressions import ExpressionError
from schemas.config.fields import Invalid
from schemas.config.listing import Listing, readable_key, readable_path
from schemas.config.problems import Problem
from schemas.config.shape import file_keys_at, is_secret, keys_at

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of a sensible size",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "path_type": "a path",
}
_LIMITS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_OTHER_NAMES = {"since": "from", "if": "when", "filter": "match", "where": "match", "api_key": "apikey", "hook": "webhook"}
"""Words for a thing that other tools use, or that it has elsewhere in the file."""


class Explainer:
    """Makes problems of what is wrong with one document."""

    def __init__(self, file: str, document: Document, substituted: Substituted) -> None:
        self._file = file
        self._document = document
        self._origins = substituted.origins
        self._files = substituted.files
        self._listing = Listing(document)

    def at(self, path: Path, message: str, span: Span | None = None) -> Problem:
        """A problem at a place that the document has."""
        if span is None:
            path = self._existing(path)
        where = span or self._document.spots[path].best
        shown = readable_path(path)
        return Problem(self._file, where.line + 1, where.column + 1, shown, message, self._listing.snippet(where))

    def problems(self, error: ValidationError) -> Iterator[Problem]:
        for details in error.errors(include_url=False, include_input=False):
            yield self._problem(details)

    def _problem(self, details: ErrorDetails) -> Problem:
        kind, location = details["type"], details["loc"]
        path = self._existing(location)
        if kind == "extra_forbidden":
            return self.at(path, self._unknown_key(path), self._document.spots[path].key)
        if kind == "missing":
            return self.at(path, f'missing key "{location[-1]}"')
        value, cause = self._document.at(path), details.get("ctx", {}).get("error")
        names = self._origins.get(path, ())
        if isinstance(cause, ExpressionError) and not names:
            return self.at(path, str(cause), _within(self._document.spots[path], value, cause))
        message = self._sentence(details, path, value, cause)
        if self._names_file(path):
            message += " (the value comes from the file)"
        elif names:
            message += f" (the value comes from {', '.join(f'${{{name}}}' for name in names)})"
        return self.at(path, message)

    def _sentence(self, details: ErrorDetails, path: Path, value: Value, cause: Any) -> str:
        kind, context = details["type"], details.get("ctx", {})
        private = path in self._origins or is_secret(path) or self._names_file(path)
        if cause is not None:
            return _judged(cause, private)
        if kind in _EXPECTED:
            remedy = "; put it in quotes" if kind == "string_type" and isinstance(value, int | float) else ""
            return f"expected {_EXPECTED[kind]}, got {_described(value)}{remedy}"
        if kind in _LIMITS:
            words, key = _LIMITS[kind]
            return f"must be {words} {str(context[key]).removesuffix('.0')}"
        if kind in ("literal_error", "enum"):
            choices = re.findall(r"'([^']*)'", str(context["expected"]))
            return f"expected one of {', '.join(choices)}{'' if private else _nearest(value, choices)}"
        if kind == "too_short":
            return f"needs at least {context['min_length']} of them"
        return "this value can't be used here"

    def _existing(self, location: tuple[str | int, ...]) -> Path:
        """The place of an error's location. A location names more than the file has: the kinds of a union, an index into a
        scalar that stands for a list of one. A secret that comes from a file is at the key that names the file."""
        path: Path = ()
        for part in location:
            path = self._files.get((*path, part), (*path, part) if (*path, part) in self._document.spots else path)
        return path

    def _names_file(self, path: Path) -> bool:
        return any(path[: len(place)] == place for place in self._files.values())

    def _unknown_key(self, path: Path) -> str:
        key, right = str(path[-1]), keys_at(path[:-1])
        taken = self._document.at(path[:-1])
        free = [name for name in right if not isinstance(taken, dict) or name not in taken]
        head = re.split(r"[:=\s]", key, maxsplit=1)[0]
        if head != key and head in right:
            return f'unknown key "{readable_key(key)}": a blank is missing after "{head}:"'
        if _OTHER_NAMES.get(key) in free:
            return f'unknown key "{readable_key(key)}"; did you mean "{_OTHER_NAMES[key]}"?'
        near = _nearest(key, free) or _nearest(key, [*right, *file_keys_at(path[:-1])]) or f"; known here: {', '.join(right)}"
        return f'unknown key "{readable_key(key)}"{near}'


def _judged(cause: Any, private: bool) -> str:
    """What one of our own validators found."""
    if isinstance(cause, ExpressionError):
        return "not an expression that can be used" if private else str(cause)
    if isinstance(cause, Invalid) and cause.hint and not private:
        return f"{cause}; {cause.hint}"
    return str(cause)


def _nearest(value: object, choices: list[str]) -> str:
    near = difflib.get_close_matches(str(value).lower(), choices, n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _described(value: Value) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "keys and values"


def _within(spot: Spot, value: Value, error: ExpressionError) -> Span | None:
    """The place of an expression's error in the file, where the expression stands there as it is: on one line, or in a `|` block.
    None: it is written with escapes or folded, and the whole value has to do."""
    written, text, span = spot.written or "", value, spot.span
    if error.line is None or error.column is None or not isinstance(text, str):
        return None
    if spot.style == "|":
        lines = re.split(r"\r\n|[\n\r\x85\u2028\u2029]", written)
        if error.line >= len(lines):
            return None
        indent = min(len(line) - len(line.lstrip(" ")) for line in lines[1:] if line.strip())
        return _point(span.line + error.line, indent + error.column - 1)
    opening = written.find(text)
    if span.line == span.end_line and error.line == 1 and opening >= 0:
        return _point(span.line, span.column + opening + error.column - 1)
    if span.line == span.end_line and error.line == 1 and spot.style == "'":
        quotes = text[: error.column - 1].count("'")
        return _point(span.line, span.column + written.index("'") + error.column + quotes)
    return None


def _point(line: int, column: int) -> Span:
    return Span(line, column, line, column + 1)

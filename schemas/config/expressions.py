"""`when` expressions: CEL (cel.dev) over one variable, `event`, the change event as it stands in the topic.

An event costs about 10 µs to hand over when it is small and 90 µs with 50 images, an evaluation 3 to 20 µs: so an event that
several expressions look at is handed over once, by `bind`. Everything here holds the interpreter's lock while it runs, so it may
be called from any thread and from an event loop. What an evaluation costs is bounded before it starts (see `cel_cost`).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from schemas.config.cel_cost import MAX_TURNS, cost_of
from schemas.config.cel_shape import Shape, anything, shape_of
from schemas.config.cel_syntax import Node, syntax_tree
from schemas.config.probes import largest_shape
from schemas.config.steps import TooManySteps

_ENV = cel.NewEnv(variables={"event": cel.Type.DYN})

_ON_PROBE = " on an event with 50 pictures and long texts"
_SIZES = [1 << power for power in range(22, 8, -1)]
"""Bytes of events, from the largest record down to less than any event has."""

_NAMES = [
    *("event", "size", "contains", "startsWith", "endsWith", "matches", "has", "exists", "all", "exists_one", "filter", "map"),
    *("int", "uint", "double", "string", "bytes", "bool", "type", "dyn", "timestamp", "duration", "getFullYear", "getMonth"),
    *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds"),
]
"""What an expression can name: the variable, and CEL's standard functions and macros."""

_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\(?(.*?)\)?'$")


class ExpressionError(ValueError):
    """An expression that doesn't compile, or that failed on an event. `line` and `column` count from 1 within the expression."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class BoundEvent:
    """An event that CEL has taken over. It must not be changed while it is in use. `size`: bytes of its JSON, where known."""

    __slots__ = ("_event", "_shape", "activation", "size")

    def __init__(self, event: dict[str, Any], size: int | None) -> None:
        self.activation = _ENV.Activation({"event": event})
        self.size = size
        self._event = event
        self._shape: Shape | None = None

    @property
    def shape(self) -> Shape:
        """How large its parts are. Made once, when an expression asks: it costs about as much as handing the event over."""
        if self._shape is None:
            self._shape = shape_of(self._event)
        return self._shape


def bind(event: dict[str, Any], size: int | None = None) -> BoundEvent:
    """Hands an event to CEL once, for any number of expressions. `event` is plain JSON: dicts, lists, text, numbers. `size`: the
    bytes of that JSON; with it, the cost of most expressions needs no look at the event."""
    return BoundEvent(event, size)


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled `when`. Immutable; share it freely. `safe_size`: whatever an event of so many bytes holds, the expression stays
    within MAX_STEPS on it."""

    text: str
    safe_size: int
    _program: Any
    _tree: Node

    def matches(self, event: dict[str, Any] | BoundEvent) -> bool:
        """Whether the event satisfies the expression. Raises ExpressionError when that can't be told: a key that isn't there
        (guard it with `has(…)`), a comparison of unlike types, an answer that is not true or false, more than MAX_STEPS."""
        bound = event if isinstance(event, BoundEvent) else bind(event)
        if bound.size is None or bound.size > self.safe_size:
            self._check_cost(bound)
        try:
            result = self._program.eval(bound.activation)
        except (RuntimeError, TypeError) as error:  # CEL's own statuses: the turns of comprehensions, text that is not Unicode
            raise ExpressionError(_plain(str(error))) from None
        value = result.value()
        if result.type() == cel.Type.BOOL:
            return bool(value)
        if result.type() == cel.Type.ERROR:
            raise ExpressionError(_plain(str(value)))
        raise ExpressionError(f"the answer is {_kind(result.type())}, where true or false is needed")

    def _check_cost(self, bound: BoundEvent) -> None:
        try:
            cost_of(self._tree, bound.shape)
        except TooManySteps as error:
            raise ExpressionError(f"{error} on this event") from None


@lru_cache(maxsize=4096)
def compile_when(text: str) -> Expression:
    """Compiles (0.3 ms). Raises ExpressionError with the place within the text, also for an expression that costs too much on the
    largest probe event."""
    try:
        program = _ENV.compile(text)
    except (RuntimeError, TypeError) as error:
        raise _compile_error(text, str(error)) from None
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise ExpressionError(f"the expression gives {_kind(program.return_type())}, where true or false is needed", 1, 1)
    try:
        tree = syntax_tree(program.serialize())
        if cost_of(tree, largest_shape()).turns > MAX_TURNS:
            raise ExpressionError(f"its comprehensions take more than {MAX_TURNS:,} turns{_ON_PROBE}", 1, 1)
        return Expression(text, _safe_size(tree), program, tree)
    except TooManySteps as error:
        raise ExpressionError(f"{error}{_ON_PROBE}", 1, 1) from None
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply", 1, 1) from None


def _safe_size(tree: Node) -> int:
    """The largest of a few sizes, so that an event's size alone tells for most events that the expression stays within its bound."""
    for size in _SIZES:
        try:
            cost_of(tree, anything(size))
        except TooManySteps:
            continue
        return size
    return 0


def _compile_error(text: str, report: str) -> ExpressionError:
    """CEL reports every error that it finds; told is the first, or the first slip in a name: a misspelt `exists` makes the
    variable that it introduces unknown too."""
    found = [(int(line), int(column), _plain(message)) for line, column, message in _ERROR.findall(report)]
    if not found:
        return ExpressionError(_plain(report.split("\n", 1)[0]), 1, 1)
    for line, column, message in found:
        undeclared = _UNDECLARED.match(message)
        if undeclared and (near := _near(undeclared[1])):
            return _unknown_name(text, line, column, undeclared[1], f'; did you mean "{near}"?')
    line, column, message = found[0]
    if undeclared := _UNDECLARED.match(message):
        return _unknown_name(text, line, column, undeclared[1], ': an expression sees "event" and CEL\'s functions')
    if "<EOF>" in message:
        early = message.startswith(("mismatched", "no viable"))
        message = "the expression stops too early" if early else message.replace("'<EOF>'", "the end")
    elif overload := _OVERLOAD.match(message):
        message = f'"{overload[1].strip("_")}" does not work on {overload[2].replace(", ", " and ")}'
    return ExpressionError(message, line, column)


def _near(name: str) -> str | None:
    return next(iter(difflib.get_close_matches(name.split(".", 1)[0], _NAMES, n=1)), None)


def _unknown_name(text: str, line: int, column: int, name: str, hint: str) -> ExpressionError:
    """CEL points at the dot or the bracket after a name; people look for the name."""
    start = text.split("\n")[line - 1].rfind(name, 0, column - 1 + len(name))
    return ExpressionError(f'unknown name "{name}"{hint}', line, start + 1 if start >= 0 else column)


def _plain(message: str) -> str:
    return _STATUS.sub("", message).replace(" (in container '')", "").strip()


def _kind(kind: Any) -> str:
    words = {"STRING": "text", "INT": "a number", "UINT": "a number", "DOUBLE": "a number", "NULL": "null", "BYTES": "bytes"}
    name = str(kind.name()).upper()
    return words.get(
        name, "a list" if name.startswith("LIST") else "a mapping" if name.startswith("MAP") else f"a {name.lower()}"
    )

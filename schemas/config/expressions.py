"""`when` expressions: CEL (cel.dev) over one variable, `event`, the change event as it stands in the topic.

An event costs about 10 µs to hand over when it is small and 90 µs with 50 images, an evaluation 3 to 20 µs: so an event that
several expressions look at is handed over once, by `bind`. Everything here holds the interpreter's lock while it runs, so it may
be called from any thread and from an event loop. CEL has no endless loops; an evaluation that passes 10,000 steps of its
comprehensions is an error.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

_ENV = cel.NewEnv(variables={"event": cel.Type.DYN})

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


@dataclass(frozen=True, slots=True)
class BoundEvent:
    """An event that CEL has taken over. It must not be changed while it is in use."""

    activation: Any


def bind(event: dict[str, Any]) -> BoundEvent:
    """Hands an event to CEL once, for any number of expressions. `event` is plain JSON: dicts, lists, text, numbers."""
    return BoundEvent(_ENV.Activation({"event": event}))


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled `when`. Immutable; share it freely."""

    text: str
    _program: Any

    def matches(self, event: dict[str, Any] | BoundEvent) -> bool:
        """Whether the event satisfies the expression. Raises ExpressionError when that can't be told: a key that isn't there
        (guard it with `has(…)`), a comparison of unlike types, an answer that is not true or false."""
        bound = event if isinstance(event, BoundEvent) else bind(event)
        try:
            result = self._program.eval(bound.activation)
        except (RuntimeError, TypeError) as error:  # CEL's own statuses: the step budget, text that is not Unicode
            raise ExpressionError(_plain(str(error))) from None
        value = result.value()
        if result.type() == cel.Type.BOOL:
            return bool(value)
        if result.type() == cel.Type.ERROR:
            raise ExpressionError(_plain(str(value)))
        raise ExpressionError(f"the answer is {_kind(result.type())}, where true or false is needed")


@lru_cache(maxsize=4096)
def compile_when(text: str) -> Expression:
    """Compiles (0.1 ms). Raises ExpressionError with the place within the text."""
    try:
        program = _ENV.compile(text)
    except (RuntimeError, TypeError) as error:
        raise _compile_error(text, str(error)) from None
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise ExpressionError(f"the expression gives {_kind(program.return_type())}, where true or false is needed", 1, 1)
    return Expression(text, program)


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

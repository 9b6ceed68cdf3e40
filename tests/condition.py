"""What a condition consists of, for the message of a wait that failed: its source, and the values that it compares."""

from __future__ import annotations

import ast
import gc
import inspect
import linecache
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

_ROOT = Path(__file__).parents[1]
_LONGEST = 1_000  # characters of a value


@dataclass(frozen=True)
class Failing:
    """The value of a condition that raised one of the exceptions which mean "not yet"."""

    error: Exception

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"


def value_of(condition: Callable[[], object], not_yet: type[Exception] | tuple[type[Exception], ...]) -> object:
    try:
        return condition()
    except not_yet as error:
        return Failing(error)


@dataclass(frozen=True)
class Part:
    """One expression of a condition, with the names that it uses."""

    expression: ast.expr
    names: dict[str, Any]

    @property
    def is_async(self) -> bool:
        return any(isinstance(node, ast.Await) or getattr(node, "is_async", False) for node in ast.walk(self.expression))

    def evaluated(self) -> str:
        try:
            return self._with(self._value())
        except Exception as error:  # noqa: BLE001 - whatever it raises belongs into the message
            return self._with(Failing(error))

    async def evaluated_async(self) -> str:
        try:
            value = self._value()
            return self._with(await value if inspect.iscoroutine(value) else value)
        except Exception as error:  # noqa: BLE001
            return self._with(Failing(error))

    @staticmethod
    def shown(value: object) -> str:
        text = repr(value)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"

    def _value(self) -> Any:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        return eval(compile(ast.Expression(self.expression), "<condition>", "eval", flags=flags), self.names)

    def _with(self, value: object) -> str:
        return f"{ast.unparse(self.expression)} = {self.shown(value)}"


def located(condition: Callable[..., Any]) -> str:
    """The source of a condition and where it is."""
    if (code := _own_code(condition)) is None:
        return repr(condition)
    expression = _expression(code)
    place = f"{Path(code.co_filename).relative_to(_ROOT)}:{code.co_firstlineno}"
    return f"{ast.unparse(expression) if expression else condition.__qualname__} ({place})"


def operands(condition: Callable[..., Any]) -> list[Part]:
    """What is compared in a lambda, or in what a function returns. They may have changed since it was last evaluated."""
    code = _own_code(condition)
    expression = _expression(code) if code is not None else None
    if code is None or expression is None:
        return []
    names = _names(condition, code)
    return [Part(one, names) for one in _compared(expression)]


@contextmanager
def no_garbage_collected() -> Iterator[None]:
    """Use it to parse source. Garbage that is collected amid that may log a traceback (a future whose exception was never retrieved),
    for which Python 3.11 parses source, too: "AST constructor recursion depth mismatch", a SystemError."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _own_code(condition: Callable[..., Any]) -> CodeType | None:
    """The code of a plain function of this project: a method like `path.exists` says more by its repr."""
    if not inspect.isfunction(condition) or not Path(condition.__code__.co_filename).is_relative_to(_ROOT):
        return None
    return condition.__code__


def _compared(expression: ast.expr) -> Iterator[ast.expr]:
    match expression:
        case ast.BoolOp(values=values):
            for value in values:
                yield from _compared(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _compared(operand)
        case ast.Compare(left=left, comparators=comparators):
            for one in (left, *comparators):
                yield from _compared(one)
        case ast.Constant():
            return
        case _:
            yield expression


def _names(condition: Callable[..., Any], code: CodeType) -> dict[str, Any]:
    names = dict(condition.__globals__)
    for name, cell in zip(code.co_freevars, condition.__closure__ or (), strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    defaults = condition.__defaults__ or ()
    return names | dict(zip(code.co_varnames[: code.co_argcount][-len(defaults) :], defaults, strict=False))


def _expression(code: CodeType) -> ast.expr | None:
    """The body of a lambda, or the last thing that a function returns."""
    source = "".join(linecache.getlines(code.co_filename))
    with no_garbage_collected():
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and _is(node.body, code):
            return node.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.name, node.lineno) == (
            code.co_name,
            code.co_firstlineno,
        ):
            last = node.body[-1]
            return last.value if isinstance(last, ast.Return) else None
    return None


def _is(body: ast.expr, code: CodeType) -> bool:
    """Whether this expression is what the code was compiled from: there may be several lambdas in a line."""
    begins, ends = set(), set()
    for line, end_line, column, end_column in code.co_positions():
        if line is not None and end_line is not None and column is not None and end_column is not None and end_column > 0:
            begins.add((line, column))
            ends.add((end_line, end_column))
    return bool(begins) and (body.lineno, body.col_offset) == min(begins) and (body.end_lineno, body.end_col_offset) == max(ends)

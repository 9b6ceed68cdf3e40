"""Counts the steps of one rendering of a template, before each operation: what it looks at and what it makes.

Sizes are known before anything is made: `'a' * 300000000` is refused from the two operands. A value that refers to another many times
(`[x, x]`, thirty times over) counts as often as it would be printed or compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jinja2.utils import Namespace

from schemas.config.steps import CHARS_A_STEP, MAX_TEMPLATE_STEPS, TooManySteps, of_chars

_COLLECTIONS: tuple[type[Iterable[Any]], ...] = (
    list,
    tuple,
    set,
    frozenset,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
)
_BITS_A_STEP = 256


class _Budget:
    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_TEMPLATE_STEPS


_BUDGET: ContextVar[_Budget] = ContextVar("template steps")


@contextmanager
def counted_rendering() -> Iterator[None]:
    """A rendering within this context has MAX_TEMPLATE_STEPS."""
    token = _BUDGET.set(_Budget())
    try:
        yield
    finally:
        _BUDGET.reset(token)


def take(steps: int) -> None:
    """Raises TooManySteps when the rendering has no such number of steps left."""
    budget = _BUDGET.get()
    budget.left -= steps
    if budget.left < 0:
        raise TooManySteps("the template", MAX_TEMPLATE_STEPS)


def take_chars(count: int) -> None:
    take(of_chars(max(count, 0)))


def weigh(value: Any) -> int:
    """Takes the steps to look at all of a value, and returns them. Ends as soon as no steps are left, however deep the value is."""
    budget = _BUDGET.get()
    before = budget.left
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str | bytes):
            budget.left -= len(one) // CHARS_A_STEP
        elif isinstance(one, int):
            budget.left -= one.bit_length() // _BITS_A_STEP
        elif isinstance(one, dict):
            waiting.extend(one)
            waiting.extend(one.values())
        elif isinstance(one, _COLLECTIONS):
            waiting.extend(one)
        elif isinstance(one, range):
            budget.left -= len(one)
        elif isinstance(one, Namespace):
            waiting.append(one._Namespace__attrs)
        take(1)
    return before - budget.left


def weighed(value: Any) -> Any:
    """The value itself, after `weigh`."""
    weigh(value)
    return value


def made(value: Any) -> Any:
    """What an operation has made: its size is counted; what it yields later is counted then."""
    if isinstance(value, str | bytes):
        take_chars(len(value))
    elif isinstance(value, list | tuple | dict):
        take(1 + len(value))
    elif isinstance(value, Iterator):
        return _each_counted(value)
    return value


def _each_counted(items: Iterator[Any]) -> Iterator[Any]:
    for item in items:
        take(1)
        yield item

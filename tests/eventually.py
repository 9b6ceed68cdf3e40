"""Waiting for a condition, with a deadline: `until` where an event loop runs, `eventually` where none does.

A deadline here only ends a test that hangs; it is never a statement about speed. A failure shows the condition's source,
its last value and the values in it; tests/conftest.py adds the logs of the processes and components that took part.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from tests.condition import Failing, Part, located, operands, value_of

_sleep = asyncio.sleep  # a test that replaces it for the code under test does not mean this one

HANGS_AFTER_S = 60.0
"""The default deadline. Far above what any condition takes on a busy machine, and below the timeout of a whole test."""

_GRACE_S = 10.0  # a single evaluation that is still running this long after the deadline is cancelled
_PAUSE_S = 0.02
_ASYNC_PAUSE_S = 0.5  # an asynchronous condition reads topics or asks a server: less often the longer it takes

NotYet = type[Exception] | tuple[type[Exception], ...]


def eventually(condition: Callable[[], object], within: float = HANGS_AFTER_S, what: str = "", *, not_yet: NotYet = ()) -> float:
    """Block until `condition()` is true and return the seconds that took.

    An exception of the type `not_yet` counts as false; any other ends the wait at once. AssertionError after `within` seconds;
    the condition has then been evaluated at least once after the deadline, however long this process was off the CPU.
    """
    attempts = _Attempts(condition, within, what)
    while not attempts.over(value_of(condition, not_yet)):
        time.sleep(_PAUSE_S)
    if not attempts.last:
        attempts.fail([part.evaluated() for part in operands(condition) if not part.is_async])
    return attempts.seconds


async def until(
    condition: Callable[[], object | Awaitable[object]],
    within: float = HANGS_AFTER_S,
    what: str = "",
    *,
    not_yet: NotYet = (),
) -> float:
    """`eventually` without blocking the event loop. `condition` is a function or a coroutine function."""
    attempts = _Attempts(condition, within, what)
    while True:
        last = value_of(condition, not_yet)
        pause = _PAUSE_S
        if inspect.isawaitable(last):
            last = await _answered(last, attempts, not_yet)
            pause = min(max(0.05, attempts.seconds / 5), _ASYNC_PAUSE_S)
        if attempts.over(last):
            break
        await _sleep(pause)
    if not attempts.last:
        attempts.fail([await part.evaluated_async() for part in operands(condition)])
    return attempts.seconds


async def _answered(answer: Awaitable[object], attempts: _Attempts, not_yet: NotYet) -> object:
    try:
        async with asyncio.timeout(max(attempts.within - attempts.seconds, 0) + _GRACE_S) as guard:
            return await answer
    except not_yet as error:
        return Failing(error)
    except TimeoutError:
        if guard.expired():
            attempts.fail([], "the condition itself was still being evaluated")
        raise


class _Attempts:
    """The evaluations of one condition against its deadline."""

    def __init__(self, condition: Callable[..., Any], within: float, what: str) -> None:
        self.within = within
        self.last: object = None
        self._condition, self._what = condition, what
        self._began = self._evaluated = time.monotonic()
        self._count = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def over(self, last: object) -> bool:
        """Whether this value ends the wait: it is true, or it comes of an evaluation that began after the deadline."""
        began, self._evaluated = self._evaluated, time.monotonic()
        self.last = last
        self._count += 1
        return bool(last) or began - self._began > self.within

    def fail(self, values: list[str], why: str = "") -> NoReturn:
        lines = [
            f"not within {self.within:g} s: {self._what or 'the condition'}",
            f"  condition   {located(self._condition)}",
            f"  evaluated   {self._count} times in {self.seconds:.1f} s",
            f"  last value  {why or Part.shown(self.last)}",
            *(f"  with        {value}" for value in values),
        ]
        raise AssertionError("\n".join(lines))

"""What follows when a part ends by itself: it is started again, a little later each time, or everything stops."""

from __future__ import annotations

from dataclasses import dataclass

EXIT_CONFIG = 78
"""A worker's way to say that the config is wrong (EX_CONFIG of sysexits.h): starting it again can't help."""

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
"""Long enough that a part that can't start costs nothing, short enough that nobody waits for it in vain."""
HEALTHY_AFTER_S = 60.0
"""A part that ran so long had started well: its next end counts as the first."""


@dataclass(frozen=True)
class StartAgain:
    """Start the part in `delay` seconds; `failures` counts this end and those that came right before it."""

    delay: float
    failures: int


@dataclass(frozen=True)
class GiveUp:
    """The part said that it can't run as things are. Its exit code is to be ours."""

    code: int


def after_exit(code: int | None, ran_for: float, failures: int) -> StartAgain | GiveUp:
    """`code` as Popen gives it, `ran_for` in seconds, `failures` the ends in a row before this one."""
    if code == EXIT_CONFIG:
        return GiveUp(code)
    failures = 1 if ran_for >= HEALTHY_AFTER_S else failures + 1
    return StartAgain(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures - 1, 10)), failures)


def exit_words(code: int | None) -> str:
    """`exit code 1`, `killed by signal 9`."""
    if code is None:
        return "by itself"
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

"""The bound on what one expression or template may cost on one event, counted in steps and never in seconds: the verdict is the
same on every machine."""

from __future__ import annotations

MAX_STEPS = 1_000_000
"""Of an expression: about a tenth of a second, and 16 MB of text. The bound that Kubernetes sets for one CEL expression (its
`PerCallLimit`). Expressions of real configs take some thousands."""
MAX_TEMPLATE_STEPS = 400_000
"""Of a template: about as long, since a step in Python takes longer. The largest probe event as JSON takes 200,000."""
CHARS_A_STEP = 16
"""Characters that are copied or compared as fast as one small operation is carried out."""


class TooManySteps(Exception):
    """The count of steps is over the bound."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(f"{what} costs too much: more than {most:,} steps")


def of_chars(count: int) -> int:
    """The steps that so many characters cost, at least one."""
    return 1 + count // CHARS_A_STEP

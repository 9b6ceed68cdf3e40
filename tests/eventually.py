"""Waiting for a condition with a deadline, for what happens in other processes."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], within: float, what: str = "") -> float:
    """Return the seconds it took until `condition()` was true. AssertionError after `within` seconds."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within:
            raise AssertionError(f"not within {within} s: {what or condition}")
        time.sleep(0.02)
    return time.monotonic() - began

"""How many of something, in words."""

from __future__ import annotations


def amount(number: int, thing: str, things: str | None = None) -> str:
    """`1 attempt`, `2,000 attempts`. `things`: the plural, where it is not made with an s."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"

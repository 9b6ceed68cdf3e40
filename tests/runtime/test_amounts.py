"""One is one, and the rest are many."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtime.amounts import amount

ROOT = Path(__file__).parents[2]
COUNTED = re.compile(
    r"\{[^{}]*(?:len\([^{}]*\)|:,|count[^{}]*)\} (attempts|changes|deliveries|errors|events|records|requests|subscriptions)\b"
)


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 attempts"), (1, "1 attempt"), (2, "2 attempts"), (12345, "12,345 attempts")]
)
def test_only_one_is_singular(number: int, words: str) -> None:
    assert amount(number, "attempt") == words


def test_a_plural_of_its_own_is_given() -> None:
    assert [amount(number, "delivery is", "deliveries are") for number in (1, 3)] == ["1 delivery is", "3 deliveries are"]


def test_no_command_counts_without_looking_whether_it_is_one() -> None:
    files = [*(ROOT / "changecast" / "commands").glob("*.py"), *(ROOT / "changecast" / "deliveries").glob("*.py")]
    files += [*(ROOT / "changecast" / "provider").glob("*.py"), *(ROOT / "changecast" / "up").glob("*.py")]
    found = {f"{file.name}: {match[0]}" for file in files for match in COUNTED.finditer(file.read_text())}
    # more than one delivery begins with what was typed, or it would have been shown
    assert found <= {"deliveries.py: {len(found)} deliveries"}

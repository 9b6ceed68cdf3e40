"""A total that all endpoints share, of which each has a reserve that the others can't take. Pure.

    total   |- reserve a -|- reserve b -|- reserve c -|-------- shared --------|
    a holds |=============|                           |======|                     more than its reserve: the rest is shared
    b holds               |====|                                                   may still take what is left of its reserve

So however much some endpoints hold, each of the others gets what it needs to go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection


class Budget:
    """`reserve`: of each holder; less where the total is too small for all, but at least 1."""

    def __init__(self, total: int, holders: Collection[str], reserve: int) -> None:
        count = max(len(holders), 1)
        self.reserve = max(min(reserve, total // (2 * count)), 1)
        self._held: Counter[str] = Counter()
        self._shared = max(total - self.reserve * count, 0)
        self._shared_held = 0

    @property
    def held(self) -> int:
        return self._held.total()

    @property
    def scarce(self) -> bool:
        """Whether more than half of what is shared is held."""
        return self._shared_held * 2 > self._shared

    def free(self, holder: str) -> int:
        """How much it may take now."""
        return max(self.reserve - self._held[holder], 0) + max(self._shared - self._shared_held, 0)

    def take(self, holder: str, amount: int) -> None:
        """The caller has asked whether something is free; the last one may take more than that."""
        self._change(holder, amount)

    def give(self, holder: str, amount: int) -> None:
        self._change(holder, -amount)

    def _change(self, holder: str, amount: int) -> None:
        held = self._held[holder]
        self._held[holder] = held + amount
        self._shared_held += max(held + amount - self.reserve, 0) - max(held - self.reserve, 0)

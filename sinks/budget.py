"""A total that all endpoints share, of which each has a reserve that the others can't take.

    total   |- reserve a -|- reserve b -|- reserve c -|-------- shared --------|
    a holds |=============|                           |======|                     more than its reserve: the rest is shared
    b holds               |====|                                                   may still take what is left of its reserve

So however much some endpoints hold, each of the others gets what it needs to go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection


class Budget:
    """`reserve`: of each holder; less where the total is too small for all, but at least 1."""

    def __init__(self, total: int, holders: Collection[str], reserve: int) -> None:
        count = max(len(holders), 1)
        self.reserve = max(min(reserve, total // (2 * count)), 1)
        self._held = dict.fromkeys(holders, 0)
        self._shared = max(total - self.reserve * count, 0)
        self._shared_held = 0

    @property
    def held(self) -> int:
        return sum(self._held.values())

    @property
    def scarce(self) -> bool:
        """Whether more than half of what is shared is held."""
        return self._shared_held * 2 > self._shared

    def free(self, holder: str) -> int:
        """How much it may take now."""
        own, shared = self.reserve - self._held.get(holder, 0), self._shared - self._shared_held
        return (own if own > 0 else 0) + (shared if shared > 0 else 0)

    def take(self, holder: str, amount: int) -> None:
        """The caller has asked whether something is free; the last one may take more than that."""
        self._change(holder, amount)

    def give(self, holder: str, amount: int) -> None:
        self._change(holder, -amount)

    def _change(self, holder: str, amount: int) -> None:
        # for each delivery, twice: comparisons cost a third of what max() does
        before = self._held.get(holder, 0)
        after = self._held[holder] = before + amount
        if after > self.reserve:
            self._shared_held += after - (before if before > self.reserve else self.reserve)
        elif before > self.reserve:
            self._shared_held -= before - self.reserve


class Slots:
    """A budget of things in use, such as connections, that can be waited for."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._waiting = 0
        self._given = asyncio.Event()

    def take(self, holder: str) -> bool:
        """One more, where there is one."""
        if not self._budget.free(holder):
            return False
        self._budget.take(holder, 1)
        return True

    def give(self, holder: str) -> None:
        self._budget.give(holder, 1)
        if self._waiting:
            self._given.set()

    async def wait(self, seconds: float) -> None:
        """Return when somebody has given one back, or after so long."""
        self._given.clear()
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._given.wait()
        except TimeoutError:
            return
        finally:
            self._waiting -= 1

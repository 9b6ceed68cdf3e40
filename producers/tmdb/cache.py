"""Answers kept for a while: each is fetched once, however many ask for it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from runtime.clock import Clock

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Keeps up to `limit` values for `keep_s` seconds. What raises is not kept."""

    def __init__(self, keep_s: float, limit: int, clock: Clock) -> None:
        self._keep_s = keep_s
        self._limit = limit
        self._clock = clock
        self._values: dict[K, tuple[float, V]] = {}
        self._locks: dict[K, tuple[asyncio.Lock, int]] = {}

    def kept(self, key: K) -> V | None:
        """The value if there is one, however old."""
        found = self._values.get(key)
        return None if found is None else found[1]

    async def get(self, key: K, fetch: Callable[[], Awaitable[V]]) -> V:
        """The value if it is young enough, else what `fetch` brings. Those who ask meanwhile wait for the same."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                found = self._values.get(key)
                if found is not None and self._clock.monotonic() - found[0] < self._keep_s:
                    return found[1]
                value = await fetch()
                self.put(key, value)
                return value
        finally:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = (lock, users - 1)

    def put(self, key: K, value: V) -> None:
        self._values.pop(key, None)
        self._values[key] = (self._clock.monotonic(), value)
        while len(self._values) > self._limit:
            del self._values[next(iter(self._values))]

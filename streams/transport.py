"""Faust's way from Kafka, with two things done otherwise: it does not commit, and it hands records over without a task for each."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Mapping
from typing import Any

import faust
from faust.transport.drivers import aiokafka as faust_kafka
from faust.types import TP
from mode.services import WaitResults


class _Begun:
    """The rest of a coroutine that has run up to its first wait."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            while True:
                try:
                    sent = yield self._waits_for
                except BaseException as thrown:  # noqa: BLE001 - a cancellation, too, is for the coroutine to see
                    self._waits_for = self._coroutine.throw(thrown)
                else:
                    self._waits_for = self._coroutine.send(sent)
        except StopIteration as end:
            return end.value


class _Consumer(faust_kafka.Consumer):
    async def _commit(self, _offsets: Mapping[TP, int]) -> bool:
        """Only the lanes' transactions commit: a commit of Faust's own, late or retried, could turn the offset back."""
        return True

    async def wait_first(self, *waited: Any, timeout: Any = None) -> WaitResults:
        """Faust waits so for the handing over of each single record, or a rebalance, whichever is first: four tasks a record, a
        fifth of its time. Nearly all records find room at once; they need none."""
        first, *others = waited
        if asyncio.iscoroutine(first):
            try:
                waits_for = first.send(None)
            except BaseException as end:
                for other in filter(asyncio.iscoroutine, others):
                    other.close()
                if isinstance(end, StopIteration):
                    return WaitResults([first], [end.value], False)
                raise
            waited = (_awaited(_Begun(first, waits_for)), *others)
        return await super().wait_first(*waited, timeout=timeout)


async def _awaited(begun: _Begun) -> Any:
    return await begun


class _Transport(faust_kafka.Transport):
    Consumer = _Consumer


class FaustApp(faust.App):
    def _new_transport(self) -> _Transport:
        return _Transport(self.conf.broker_consumer, self)

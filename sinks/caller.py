"""The calls of one endpoint: each needs a connection of those that all endpoints share, and a file descriptor. To wait for either is no
attempt, and whatever a sender raises is an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from runtime.clock import Clock
from runtime.descriptors import OutOfDescriptors
from schemas.delivery import ErrorClass
from sinks.answer import Answer, Meaning, Sender
from sinks.budget import Slots
from sinks.event import Event

log = logging.getLogger(__name__)

_SHORTAGE_S = 1.0
"""Until it is asked again whether there is a file descriptor or a connection."""
_WARN_EVERY_S = 60.0


class Caller:
    """`longest`: seconds of one attempt. `not_begun`: calls that wait for a connection or a file descriptor. `lacks_descriptors`: the
    last call could not be made for want of one."""

    def __init__(self, name: str, sender: Sender, connections: Slots, clock: Clock, longest: float | None) -> None:
        self.not_begun = 0
        self.lacks_descriptors = False
        self._name = name
        self._sender = sender
        self._connections = connections
        self._clock = clock
        self._longest = longest
        self._next_warning = 0.0

    async def call(self, events: Sequence[Event], is_wanted: Callable[[], bool]) -> Answer | None:
        """The answer of one attempt. None when it could not be made at once, and was not wanted any more after the wait."""
        while True:
            if self._connections.take(self._name):
                try:
                    answer = await self._send(events)
                except OutOfDescriptors as problem:
                    self._warn(problem)
                else:
                    self.lacks_descriptors = False
                    return answer
                finally:
                    self._connections.give(self._name)
                await self._wait(self._clock.sleep(_SHORTAGE_S))
            else:
                await self._wait(self._connections.wait(_SHORTAGE_S))
            if not is_wanted():
                return None

    async def _wait(self, wait: Awaitable[None]) -> None:
        self.not_begun += 1
        try:
            await wait
        finally:
            self.not_begun -= 1

    def _warn(self, problem: OutOfDescriptors) -> None:
        self.lacks_descriptors = True
        now = self._clock.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _WARN_EVERY_S
            log.warning("%s: deliveries wait for a file descriptor (%s): see `ulimit -n`", self._name, problem.strerror)

    async def _send(self, events: Sequence[Event]) -> Answer:
        """What a sender raises is an answer, too: one delivery's trouble must not end the worker, which serves all.
        Raises OutOfDescriptors."""
        began = self._clock.monotonic()
        limit = None if self._longest is None else asyncio.timeout(self._longest)
        try:
            if limit is None:
                return await self._sender.send(events)
            async with limit:
                return await self._sender.send(events)
        except OutOfDescriptors:
            raise
        except Exception as fault:
            ms = round((self._clock.monotonic() - began) * 1000, 2)
            if limit is not None and limit.expired():
                error = f"no answer within {self._longest:g} s"
                return Answer(Meaning.FAILED, ms, error=error, error_class=ErrorClass.TIMEOUT)
            name = type(fault).__name__
            log.exception("%s: sending failed with an unexpected %s; the delivery is retried by its schedule", self._name, name)
            return Answer(Meaning.FAILED, ms, error=f"unexpected error in sending: {name}", error_class=ErrorClass.FAULT)

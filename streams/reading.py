"""Reading entities from one provider: not before they have settled, side by side, and again when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from datetime import datetime, timedelta
from random import Random

from producers.interface import Fetched, Provider, Refused
from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.http import CredentialsRejected, ProviderError, ProviderUnavailable
from schemas.event import Entity

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 32
"""Entities fetched at once: enough to fill any provider's budget at 500 ms an answer, few enough to stay in memory."""
RETRY_BUDGET_S = 60.0
"""How long an entity that fails is asked for while the provider answers for others."""
CREDENTIALS_RETRY_S = 60.0
_REMEMBERED = 2_000
_BACKOFF = Backoff(first=0.5, longest=10.0)


class Failed(Exception):
    """The retry budget of an entity ran out. The message is the last failure."""


class EntityReader:
    """Fetches entities of one provider for all lanes of this process."""

    def __init__(self, provider: Provider, settle: timedelta, clock: Clock, random: Random | None = None) -> None:
        self._provider = provider
        self._settle = settle
        self._clock = clock
        self._random = random or Random()
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._skew = timedelta()
        self._last_answer = float("-inf")
        self._recent: OrderedDict[tuple[str, str], Fetched] = OrderedDict()

    def covers(self, fetched_at: datetime, event_time: datetime) -> bool:
        """Whether a state fetched then surely holds what the event tells of."""
        return fetched_at >= event_time + self._settle

    async def read(self, entity: Entity, newest: datetime) -> Fetched | Refused | None:
        """The entity as it is after its event of time `newest` has settled. Raises Failed."""
        if (known := self._recent.get((entity.type, entity.id))) and self.covers(known.fetched_at, newest):
            return known
        await self._settled(newest)
        async with self._slots:
            answer = await self._persist(entity)
        if answer is not None:
            self._skew = answer.fetched_at - self._clock.now()
        if isinstance(answer, Fetched) and not answer.comparable:
            self._remember(answer)
        return answer

    async def _settled(self, newest: datetime) -> None:
        wait = newest + self._settle - (self._clock.now() + self._skew)
        # a provider's clock that is far ahead must not hold its events up
        await self._clock.sleep(min(max(wait.total_seconds(), 0.0), self._settle.total_seconds()))

    async def _persist(self, entity: Entity) -> Fetched | Refused | None:
        spent, attempt = 0.0, 0
        while True:
            attempt += 1
            began = self._clock.monotonic()
            try:
                answer = await self._provider.fetch(entity)
            except ProviderError as problem:
                delay = self._delay(attempt, problem)
                failure = problem
            else:
                self._last_answer = self._clock.monotonic()
                return answer
            await self._clock.sleep(delay)
            if self._last_answer > began:
                # the provider answered for another entity meanwhile: this one's budget runs
                spent += self._clock.monotonic() - began
            if spent > RETRY_BUDGET_S:
                raise Failed(str(failure))
            log.warning("%s %s/%s: %s; asked again", self._provider.name, entity.type, entity.id, failure)

    def _delay(self, attempt: int, problem: ProviderError) -> float:
        if isinstance(problem, CredentialsRejected):
            return CREDENTIALS_RETRY_S
        asked = problem.retry_after if isinstance(problem, ProviderUnavailable) else None
        return max(_BACKOFF.delay(attempt, self._random), asked or 0.0)

    def _remember(self, fetched: Fetched) -> None:
        key = (fetched.entity.type, fetched.entity.id)
        self._recent[key] = fetched
        self._recent.move_to_end(key)
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

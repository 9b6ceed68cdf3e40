"""Reading entities from one provider: not before they have settled, side by side, and again when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from producers.interface import Fetched, Provider, Refused
from runtime.backoff import Backoff
from runtime.clock import Clock, SystemClock
from runtime.http import BadResponse, CredentialsRejected, ProviderError, ProviderUnavailable
from runtime.metrics import Histogram
from schemas.event import Entity

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 32
"""Entities fetched at once: enough to fill any provider's budget at 500 ms an answer, few enough to stay in memory."""
SEEMS_AWAY = SIDE_BY_SIDE
"""As many failures without one answer between: it is not single entities that fail."""
CREDENTIALS_RETRY_S = 60.0
_DATE_STEP = timedelta(seconds=1)
"""A provider's `Date` header counts whole seconds."""
_REMEMBERED = 200
"""Entities with all their pictures, some 100 KB each."""
_BACKOFF = Backoff(first=0.5, longest=30.0)
FETCHES = ("fetched", "refused", "nothing", "failed")
"""How a fetch ends. Nothing: the provider has none of that type."""


@dataclass(frozen=True)
class Failed:
    """The retry budget of an entity ran out; `reason` is the last failure."""

    reason: str


Answer = Fetched | Refused | Failed | None
"""None: the provider has nothing to fetch for that type of entity."""


@dataclass(frozen=True)
class Patience:
    """`settle`: an entity is read no earlier than this after its newest event, since a provider's replicas lag. `retry_budget`:
    how long an entity that fails is asked for while the provider answers for others. `forbidden_recheck`: after this a 403 of an
    entity that could be read is asked once more."""

    settle: timedelta = timedelta(seconds=5)
    retry_budget: timedelta = timedelta(seconds=60)
    forbidden_recheck: timedelta = timedelta(minutes=15)


class EntityReader:
    """Reads entities of one provider for all lanes of this process. `fetches`: their seconds, by how they ended."""

    def __init__(
        self, provider: Provider, patience: Patience | None = None, clock: Clock | None = None, random: Random | None = None
    ) -> None:
        self._provider = provider
        self._patience = patience or Patience()
        self._clock = clock or SystemClock()
        self._random = random or Random()
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._probe = asyncio.Lock()
        self._failed_in_a_row = 0
        self._skew = timedelta()
        self._last_answer = float("-inf")
        self.fetches = {ended: Histogram() for ended in FETCHES}
        self._recent: OrderedDict[tuple[str, str], Fetched] = OrderedDict()

    def covers(self, fetched_at: datetime, event_time: datetime) -> bool:
        """Whether a state fetched then surely holds what the event tells of."""
        return fetched_at - self._patience.settle >= event_time

    def settling_s(self, newest: datetime) -> float:
        """Seconds until an entity whose newest event has this time may be read, on the provider's clock."""
        ahead = newest - (self._clock.now() + self._skew)
        # a provider's clock that is far ahead must not hold its events up
        return (min(max(ahead, -self._patience.settle), timedelta()) + self._patience.settle).total_seconds()

    async def read(self, entity: Entity, newest: datetime, *, was_readable: bool) -> Answer:
        """The entity as it is after its event of time `newest` has settled."""
        known = self._recent.get((entity.type, entity.id))
        if known is not None and self.covers(known.fetched_at, newest):
            return known
        began = self._clock.monotonic()
        await self._clock.sleep(self.settling_s(newest))
        answer = await self._persist(entity)
        if (early := self._early_s(answer, newest, self._clock.monotonic() - began)) > 0:
            await self._clock.sleep(early)
            answer = await self._persist(entity)
        if isinstance(answer, Refused) and answer.forbidden and was_readable:
            await self._clock.sleep(self._patience.forbidden_recheck.total_seconds())
            answer = await self._persist(entity)
        if isinstance(answer, Fetched) and not answer.comparable:
            self._remember(answer)
        return answer

    def _early_s(self, answer: Answer, newest: datetime, waited_s: float) -> float:
        """Seconds by which the answer came too early, as its own time tells: it was asked for by our clock, before the provider's was
        known, or after one of them was set. No more than the margin is waited in all: an event's time may be one to come."""
        if answer is None or isinstance(answer, Failed):
            return 0.0
        early = self._patience.settle - (answer.fetched_at - newest)
        left = self._patience.settle - timedelta(seconds=waited_s)
        return min(early, left).total_seconds() if early > _DATE_STEP else 0.0

    async def _persist(self, entity: Entity) -> Answer:
        """Ask until there is an answer, or the budget has run out."""
        spent, attempt = 0.0, 0
        while True:
            attempt += 1
            began = self._clock.monotonic()
            try:
                async with self._turn():
                    answer = await self._fetch(entity)
            except ProviderError as problem:
                failure = problem
            else:
                self._answered()
                if answer is not None:
                    self._skew = answer.fetched_at - self._clock.now()
                return answer
            self._failed_in_a_row += 1
            log.warning("%s:%s:%s: %s; asked again", self._provider.name, entity.type, entity.id, failure)
            await self._clock.sleep(self._delay(attempt, failure))
            if self._last_answer > began or isinstance(failure, BadResponse):
                # the provider answers, so it is this entity that fails: its budget runs
                spent += self._clock.monotonic() - began
            if spent > self._patience.retry_budget.total_seconds():
                return Failed(str(failure))

    async def _fetch(self, entity: Entity) -> Fetched | Refused | None:
        began, ended = self._clock.monotonic(), "failed"
        try:
            answer = await self._provider.fetch(entity)
            ended = "nothing" if answer is None else "refused" if isinstance(answer, Refused) else "fetched"
            return answer
        finally:
            self.fetches[ended].observe(self._clock.monotonic() - began)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Leave to ask. While the provider as a whole seems to be away, one entity at a time finds out whether it is back."""
        async with self._slots:
            if self._failed_in_a_row < SEEMS_AWAY:
                yield
                return
        async with self._probe:
            if self._failed_in_a_row >= SEEMS_AWAY:
                await self._clock.sleep(_BACKOFF.delay(self._failed_in_a_row, self._random))
            yield

    def _answered(self) -> None:
        self._last_answer = self._clock.monotonic()
        self._failed_in_a_row = 0

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

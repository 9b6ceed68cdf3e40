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
from producers.refusals import RefusalJudge, key_of
from runtime.backoff import Backoff
from runtime.clock import Clock, SystemClock
from runtime.http import BadResponse, CredentialsRejected, ProviderError, ProviderUnavailable
from runtime.metrics import Histogram
from runtime.rate import RateLimit
from schemas.event import Entity

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 32
"""Entities fetched at once: enough to fill any provider's budget at 500 ms an answer, few enough to stay in memory."""
SEEMS_AWAY = SIDE_BY_SIDE
"""So many entities that begin to fail without one answer between: it is not single entities that fail. Those that have failed for longer
say nothing of the provider, and neither does an answer that can't be read."""
CREDENTIALS_RETRY_S = 60.0
_DATE_STEP = timedelta(seconds=1)
"""A provider's `Date` header counts whole seconds."""
_REMEMBERED = 200
"""Entities with all their pictures, some 100 KB each."""
_BACKOFF = Backoff(first=0.5, longest=30.0)
HELD_RECHECK_S = 60.0
"""How soon a refusal that is no fact yet is asked again, and with it the controls."""
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
    how long an entity that fails is asked for while the provider answers for others. `forbidden_recheck`: an entity that could be read
    must be refused for so long to count as deleted, unless the feed named its deletion. `look_again_share`: the part of the request
    budget that looking again may take."""

    settle: timedelta = timedelta(seconds=5)
    retry_budget: timedelta = timedelta(seconds=60)
    forbidden_recheck: timedelta = timedelta(minutes=15)
    look_again_share: float = 0.1


@dataclass(frozen=True)
class Question:
    """`newest`: the time of the entity's newest event. `was_readable`: its last state is known. `deleted`: its feed named its deletion."""

    entity: Entity
    newest: datetime
    was_readable: bool = False
    deleted: bool = False


class EntityReader:
    """Reads entities of one provider for all lanes of this process. `fetches`: their seconds, by how they ended."""

    def __init__(
        self,
        provider: Provider,
        patience: Patience | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        budget: RateLimit | None = None,
    ) -> None:
        self._provider = provider
        self._patience = patience or Patience()
        self._clock = clock or SystemClock()
        self._random = random or Random()
        self._budget = budget
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._probe = asyncio.Lock()
        self._failed_in_a_row = 0
        self._failing: set[tuple[str, str]] = set()
        self._skew = timedelta()
        self._last_answer = float("-inf")
        self._next_look_at = float("-inf")
        self.fetches = {ended: Histogram() for ended in FETCHES}
        self.refusals = RefusalJudge(provider.name, self._is_found, provider.probe, self._clock)
        self._recent: OrderedDict[tuple[str, str], tuple[Fetched, datetime]] = OrderedDict()

    def now(self) -> datetime:
        """The provider's clock, as far as it is known."""
        return self._clock.now() + self._skew

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def on_its_clock(self, moment: datetime) -> datetime:
        """A time of our clock on the provider's."""
        return moment + self._skew

    @property
    def settle(self) -> timedelta:
        return self._patience.settle

    def covers(self, fetched_at: datetime, event_time: datetime) -> bool:
        """Whether a state of this time has settled by the time that the event tells of."""
        return fetched_at - self._patience.settle >= event_time

    def settling_s(self, newest: datetime) -> float:
        """Seconds until an entity whose newest event has this time may be read, on the provider's clock."""
        if self._provider.names_changes:
            return 0.0
        ahead = newest - self.now()
        # a provider's clock that is far ahead must not hold its events up
        return (min(max(ahead, -self._patience.settle), timedelta()) + self._patience.settle).total_seconds()

    def reserve_look(self, at: datetime) -> float:
        """Seconds until an entity may be looked at again: at `at` (the provider's clock), or later where the part of the budget that is
        for that has been promised to others."""
        now = self._clock.monotonic()
        wanted = now + max((at - self.now()).total_seconds(), 0.0)
        if self._budget is None or not self._budget.rate:
            return wanted - now
        asked = sum(histogram.count for histogram in self.fetches.values())
        requests = max(self._budget.spent / asked, 1.0) if asked else 1.0
        free_at = max(self._next_look_at, now)
        self._next_look_at = free_at + requests / (self._patience.look_again_share * self._budget.rate)
        return max(wanted, free_at) - now

    async def read(self, question: Question) -> Answer:
        """The entity as it is after its newest event has settled. A refusal of what could be read comes back once it is a fact."""
        known = self._recent.get(key_of(question.entity))
        if known is not None and self.covers(known[1], question.newest):
            return known[0]
        began = self._clock.monotonic()
        await self._clock.sleep(self.settling_s(question.newest))
        answer = await self._persist(question.entity)
        if not self._provider.names_changes and (
            (early := self._early_s(answer, question.newest, self._clock.monotonic() - began)) > 0
        ):
            await self._clock.sleep(early)
            answer = await self._persist(question.entity)
        if isinstance(answer, Refused) and question.was_readable:
            answer = await self._confirmed(question, answer)
        if isinstance(answer, Fetched) and not answer.comparable:
            self._remember(answer)
        return answer

    async def _confirmed(self, question: Question, answer: Answer) -> Answer:
        """Ask until the entity is read again, or its refusal is a fact."""
        since = self._clock.monotonic()
        waits = not question.deleted
        while isinstance(answer, Refused):
            if waits:
                await self._clock.sleep(self._patience.forbidden_recheck.total_seconds())
                answer = await self._persist(question.entity)
            settled = isinstance(answer, Refused) and not answer.cached
            if settled and (
                (question.deleted and not self.refusals.suspicious) or await self.refusals.is_fact(question.entity, since)
            ):
                self.refusals.gone(question.entity)
                return answer
            if isinstance(answer, Refused):
                waits = False
                self.refusals.held += 1
                try:
                    await self._clock.sleep(HELD_RECHECK_S)
                finally:
                    self.refusals.held -= 1
                answer = await self._persist(question.entity)
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
                self._answered(entity)
                if answer is not None and not answer.cached:
                    self._skew = answer.fetched_at - self._clock.now()
                return answer
            self._note_failure(entity, failure)
            log.warning("%s:%s:%s: %s; asked again", self._provider.name, entity.type, entity.id, failure)
            await self._clock.sleep(self._delay(attempt, failure))
            if self._last_answer > began or isinstance(failure, BadResponse):
                # the provider answers, so it is this entity that fails: its budget runs
                spent += self._clock.monotonic() - began
            if spent > self._patience.retry_budget.total_seconds():
                self._failing.discard(key_of(entity))
                return Failed(str(failure))

    async def _fetch(self, entity: Entity) -> Fetched | Refused | None:
        began, ended = self._clock.monotonic(), "failed"
        try:
            answer = await self._provider.fetch(entity)
            if isinstance(answer, Fetched):
                self.refusals.found(entity)
            elif answer is not None:
                self.refusals.refused(entity)
            ended = "nothing" if answer is None else "refused" if isinstance(answer, Refused) else "fetched"
            return answer
        finally:
            self.fetches[ended].observe(self._clock.monotonic() - began)

    async def _is_found(self, entity: Entity) -> bool:
        answer = await self._fetch(entity)
        return isinstance(answer, Fetched) and not answer.cached

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

    def _answered(self, entity: Entity) -> None:
        self._last_answer = self._clock.monotonic()
        self._failed_in_a_row = 0
        self._failing.discard(key_of(entity))

    def _note_failure(self, entity: Entity, failure: ProviderError) -> None:
        key = key_of(entity)
        if key not in self._failing and not isinstance(failure, BadResponse):
            self._failed_in_a_row += 1
        self._failing.add(key)

    def _delay(self, attempt: int, problem: ProviderError) -> float:
        if isinstance(problem, CredentialsRejected):
            return CREDENTIALS_RETRY_S
        asked = problem.retry_after if isinstance(problem, ProviderUnavailable) else None
        return max(_BACKOFF.delay(attempt, self._random), asked or 0.0)

    def _remember(self, fetched: Fetched) -> None:
        key = key_of(fetched.entity)
        self._recent[key] = fetched, self.now()
        self._recent.move_to_end(key)
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

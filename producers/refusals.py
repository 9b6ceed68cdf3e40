"""Whether a refusal is a fact about the catalogue or the provider's trouble.

A provider that loses its database, or a key that loses its rights, refuses entities in its own words and by the hundred, and receivers
can't take a deletion back. So the absence of an entity that could be read is published when

    the provider says so itself          anything else is no refusal at all (see `runtime.http.NotItsOwn`)
    its feed named the deletion, or      the second witness
    it is still absent 15 minutes later  `forbidden_recheck`
    others can be read in between        another entity, or a route that always answers
    and while many are refused           more than 5 % of at least 20 asked within 10 minutes:
                                         entities that were read lately can be read now
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import timedelta

from runtime.clock import Clock
from runtime.http import ProviderError
from schemas.event import Entity

log = logging.getLogger(__name__)

WINDOW = timedelta(minutes=10)
ENOUGH = 20
SHARE = 0.05
CONTROLS = 5
"""Entities asked as controls: one of them may truly have gone since it was read."""
_MISSING_CONTROLS = 1
_REMEMBERED = 50
_VERDICT_KEPT_S = 30.0
"""Hundreds of entities may wait for the same verdict: the controls are asked once for all of them."""

Key = tuple[str, str]


def key_of(entity: Entity) -> Key:
    return entity.type, entity.id


class RecentOutcomes:
    """Who was found and who was refused within the last `WINDOW`. Times are monotonic seconds, and don't go back."""

    def __init__(self) -> None:
        # the latest outcome of each entity, the oldest first
        self._outcomes: OrderedDict[Key, tuple[float, bool]] = OrderedDict()
        self._refused = 0
        self._found: OrderedDict[Key, tuple[Entity, float]] = OrderedDict()

    def __len__(self) -> int:
        """Entities with an outcome that is remembered."""
        return len(self._outcomes)

    def found(self, entity: Entity, now: float) -> None:
        key = key_of(entity)
        self._found[key] = entity, now
        self._found.move_to_end(key)
        while len(self._found) > _REMEMBERED:
            self._found.popitem(last=False)
        self._note(key, now, refused=False)

    def refused(self, entity: Entity, now: float) -> None:
        self._note(key_of(entity), now, refused=True)

    def gone(self, entity: Entity) -> None:
        """Its absence was confirmed: it is no control any more."""
        self._found.pop(key_of(entity), None)

    def suspicious(self, now: float) -> bool:
        """Whether more entities are refused than leave a catalogue."""
        self._expire(now)
        return len(self._outcomes) >= ENOUGH and self._refused > SHARE * len(self._outcomes)

    def _note(self, key: Key, now: float, *, refused: bool) -> None:
        _, was_refused = self._outcomes.pop(key, (now, False))
        self._outcomes[key] = now, refused
        self._refused += refused - was_refused
        self._expire(now)

    def _expire(self, now: float) -> None:
        while self._outcomes:
            key, (at, refused) = next(iter(self._outcomes.items()))
            if at >= now - WINDOW.total_seconds():
                return
            del self._outcomes[key]
            self._refused -= refused

    def lately_found(self, besides: Entity, since: float = float("-inf")) -> list[Entity]:
        """Entities that were found, the latest first."""
        others = (pair for key, pair in reversed(self._found.items()) if key != key_of(besides))
        return [entity for entity, at in others if at >= since]


class RefusalJudge:
    """Confirms refusals of one provider. `is_found` asks for an entity that was found before, past every cache; `probe` asks a route that
    always answers. Both may raise ProviderError.

    Once many are refused, deletions are held until controls have answered well, also when nobody was asked for longer than `WINDOW`:
    `suspicious`. `held`: refusals that wait for it.
    """

    def __init__(
        self,
        provider: str,
        is_found: Callable[[Entity], Awaitable[bool]],
        probe: Callable[[], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._provider = provider
        self._is_found = is_found
        self._probe = probe
        self._clock = clock
        self._outcomes = RecentOutcomes()
        self._asking = asyncio.Lock()
        self._verdict: tuple[float, bool] = (float("-inf"), False)
        self.suspicious = False
        self.held = 0

    def found(self, entity: Entity) -> None:
        """The provider has answered with it."""
        self._outcomes.found(entity, self._clock.monotonic())

    def refused(self, entity: Entity) -> None:
        now = self._clock.monotonic()
        self._outcomes.refused(entity, now)
        self.suspicious = self.suspicious or self._outcomes.suspicious(now)

    def gone(self, entity: Entity) -> None:
        """Its deletion was confirmed."""
        self._outcomes.gone(entity)

    async def is_fact(self, entity: Entity, refused_since: float) -> bool:
        """Whether the refusal of `entity`, first met at `refused_since` (monotonic), may be published. False: ask again later."""
        if not self.suspicious and self._outcomes.lately_found(entity, refused_since):
            return True
        async with self._asking:
            asked_at, good = self._verdict
            if self._clock.monotonic() - asked_at > _VERDICT_KEPT_S:
                good = await self._controls_answer(entity)
                self._verdict = self._clock.monotonic(), good
            if good:
                self.suspicious = False
            return good

    async def _controls_answer(self, entity: Entity) -> bool:
        controls = self._outcomes.lately_found(entity)[:CONTROLS]
        if self.suspicious:
            if not controls:
                return False
            found = sum([await self._answers_with(control) for control in controls])
            good = found >= max(len(controls) - _MISSING_CONTROLS, 1)
            level = logging.INFO if good else logging.ERROR
            log.log(
                level,
                "%s: many entities are refused, and %d of %d that were read lately can be read now%s",
                *(self._provider, found, len(controls)),
                "" if good else "; deletions are held until they can",
            )
            return good
        if controls and await self._answers_with(controls[0]):
            return True
        return await self._answers()

    async def _answers_with(self, control: Entity) -> bool:
        try:
            return await self._is_found(control)
        except ProviderError as problem:
            log.info("%s: control %s:%s: %s", self._provider, control.type, control.id, problem)
            return False

    async def _answers(self) -> bool:
        try:
            await self._probe()
        except ProviderError as problem:
            log.info("%s: control: %s", self._provider, problem)
            return False
        return True

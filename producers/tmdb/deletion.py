"""Whether an entity that TMDB does not find has been deleted."""

from __future__ import annotations

from datetime import datetime

from producers.refusals import RefusalJudge
from producers.tmdb.client import TmdbClient
from producers.tmdb.models import PROVIDER, Kind
from producers.tmdb.windows import day_of, one_day
from runtime.clock import Clock
from runtime.http import BadResponse, ProviderUnavailable
from schemas.event import Entity


class DeletionCheck:
    """The witnesses of one feed. Tell it of every answer by `found` and `not_found`."""

    def __init__(self, client: TmdbClient, kind: Kind, clock: Clock) -> None:
        self._client = client
        self._kind = kind
        self._clock = clock
        self._judge = RefusalJudge(f"{PROVIDER}:{kind}", self._is_found, self._probe, clock)

    def found(self, subject: Entity) -> None:
        self._judge.found(subject)

    def not_found(self, subject: Entity) -> None:
        self._judge.refused(subject)

    async def is_gone(self, subject: Entity, failing_since: datetime, *, marked: bool) -> bool:
        """Whether one that has not been found since then is deleted: the list marks it so, or its details are not found either, past every
        cache; and others are found, while it is not everything that is refused (see `RefusalJudge`)."""
        try:
            witnessed = marked or await self._client.is_gone(f"{self._kind}/{subject.id}")
        except (ProviderUnavailable, BadResponse):
            return False
        failing_s = (self._clock.now() - failing_since).total_seconds()
        if not witnessed or not await self._judge.is_fact(subject, self._clock.monotonic() - failing_s):
            return False
        self._judge.gone(subject)
        return True

    async def _is_found(self, subject: Entity) -> bool:
        return await self._client.is_there(self._kind, int(subject.id), one_day(day_of(self._clock.now())))

    async def _probe(self) -> None:
        await self._client.configuration()

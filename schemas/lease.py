"""The record of `changecast.leases`: what a sinks worker does to the leases of limited endpoints. `sinks.lease_log` has the rules.

Workers of two versions must come to the same lines from the same records: add a field only where a version that ignores it may.
"""

from __future__ import annotations

from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field

MAX_MS = 10 * 365 * 86_400_000
"""No rate or pause of a config is longer; a number of seconds that no clock can hold is no record."""

_Ms = Annotated[int, Field(ge=-MAX_MS, le=MAX_MS)]
_Pause = Annotated[int, Field(ge=0, le=MAX_MS)]
_Id = Annotated[str, Field(min_length=1, max_length=100)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Pacing(_Model):
    """Usage of a limit that its next holder must respect, in milliseconds relative to the release. `arrivals`: (time, number) of the
    requests that still count for the rate; the time is negative for the past. `paused`: remaining time of a Retry-After. `broken`:
    remaining time of an open breaker."""

    arrivals: tuple[tuple[_Ms, Annotated[int, Field(ge=1, le=1_000_000)]], ...] = Field(default=(), max_length=5_000)
    paused: _Pause = 0
    broken: _Pause = 0


class Release(_Model):
    """`key`: hash of the limit's address. `pacing` None: the worker has not used the limit, so what the holder before it left still
    holds. So leaves a worker that only waited, also when it became the holder while this record was on its way."""

    key: _Id
    pacing: Pacing | None = None


class Eviction(_Model):
    """`worker` is taken to be dead, provided that its record at offset `last` is still its newest."""

    worker: _Id
    last: int = Field(ge=0)


class LeaseRecord(_Model):
    """`worker`: identity of one life of a worker; `number` counts its records. The parts take effect in this order: evictions,
    releases, claims. A record without any is a heartbeat."""

    worker: _Id
    number: int = Field(ge=0)
    evictions: tuple[Eviction, ...] = ()
    releases: tuple[Release, ...] = ()
    claims: tuple[_Id, ...] = ()

    def to_json(self) -> bytes:
        return orjson.dumps(self.model_dump(mode="json", exclude_defaults=True))

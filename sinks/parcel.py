"""A delivery that is due later, as a record of a retry topic: the event's bytes, and the rest in headers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from schemas import dead
from sinks.topics import DELAYS

DUE = "changecast-due"
READY = "changecast-ready"
DEFERRALS = "changecast-deferrals"
AWAITS = "changecast-awaits"
VERSION = "changecast-version"
"""Of the form of the headers. A record without it is of the first version; one with a larger number is of a newer version of
changecast, and is passed on unread."""
_VERSION = 1

_DEFER_FIRST_S = 5.0
_DEFER_LONGEST_S = 300.0
"""While an endpoint takes nothing, what is for it comes back in 5 s, then in twice that, and so on: it is not written again and again."""


class UnreadableParcel(ValueError):
    """A record in a retry topic that none of ours can have written."""


class NewerParcel(Exception):
    """A record in a retry topic that a newer version of changecast wrote, in a form that this one can't know."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """`attempts`: made so far. `due` and `ready` in Unix seconds: when it may be sent, and when it leaves its topic.
    `topic`, `partition`, `offset`: the event's own place in the changes. `deferrals`: how often in a row its endpoint took nothing.
    `awaits`: the token of a call in flight when the partition moved, whose answer counts if there is one (see `handover`)."""

    subscription: str
    value: bytes
    attempts: int
    due: float
    topic: str
    partition: int
    offset: int
    deferrals: int = 0
    ready: float = 0.0
    awaits: str = ""

    def placed(self, now: float) -> tuple[str, Parcel]:
        """The delay whose topic it goes to, and the parcel as it stands there: the longest delay that is not too long."""
        wait = self.due - now
        name, delay = next((entry for entry in reversed(DELAYS) if entry[1] <= wait), DELAYS[0])
        return name, replace(self, ready=min(self.due, now + delay))

    def kept(self, now: float, until: float) -> tuple[str, Parcel]:
        """Overdue, since its subscription is not served: the delay whose topic it goes to, and the parcel there. The longer it is
        overdue, the longer the delay: a day takes fewer hops than the longest wait, and one that comes back has its retries after
        twice the time that it was away at the most."""
        overdue = max(now - self.due, 0.0)
        name, delay = next((entry for entry in reversed(DELAYS) if entry[1] <= 2 * overdue), DELAYS[0])
        return name, replace(self, ready=min(now + delay, max(until, now)))

    def deferred(self, now: float, chance: float, at_least: float = 0.0) -> Parcel:
        """Not attempted, since the endpoint takes nothing now. `chance` from 0 to 1 spreads those that were refused together."""
        wait = max(min(_DEFER_FIRST_S * 2.0 ** min(self.deferrals, 16), _DEFER_LONGEST_S), at_least)
        return replace(self, due=now + wait * (1 + 0.1 * chance), deferrals=self.deferrals + 1)

    def shifted(self, seconds: float) -> Parcel:
        """By the clock of this machine, where the writer's was ahead by so much."""
        return replace(self, due=self.due - seconds, ready=self.ready - seconds)

    def in_turn(self, now: float, wait: float) -> Parcel:
        """Not attempted, since others are ahead of it at an endpoint that takes them one after another."""
        return replace(self, due=now + wait, deferrals=0)

    def headers(self) -> list[tuple[str, bytes]]:
        pairs: Iterable[tuple[str, object]] = (
            (dead.SUBSCRIPTION, self.subscription),
            (dead.ATTEMPTS, self.attempts),
            (DUE, f"{self.due:.3f}"),
            (READY, f"{self.ready:.3f}"),
            (dead.ORIGIN_TOPIC, self.topic),
            (dead.ORIGIN_PARTITION, self.partition),
            (dead.ORIGIN_OFFSET, self.offset),
            (DEFERRALS, self.deferrals),
            (VERSION, _VERSION),
        )
        found = [(name, str(value).encode()) for name, value in pairs]
        return [*found, (AWAITS, self.awaits.encode())] if self.awaits else found


def read_parcel(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> Parcel:
    """Raises UnreadableParcel, NewerParcel. Headers that are not known here are ignored."""
    found = {name: (content or b"").decode("utf-8", "replace") for name, content in headers}
    try:
        if (version := int(found.get(VERSION, _VERSION))) > _VERSION:
            raise NewerParcel(f"a retry of version {version} was written by a newer version")
        parcel = Parcel(
            subscription=found[dead.SUBSCRIPTION],
            value=value or b"",
            attempts=int(found[dead.ATTEMPTS]),
            due=float(found[DUE]),
            topic=found[dead.ORIGIN_TOPIC],
            partition=int(found[dead.ORIGIN_PARTITION]),
            offset=int(found[dead.ORIGIN_OFFSET]),
            deferrals=int(found[DEFERRALS]),
            ready=float(found[READY]),
            awaits=found.get(AWAITS, ""),
        )
    except (KeyError, ValueError) as error:
        raise UnreadableParcel(f"not a delivery: {type(error).__name__} {error}") from error
    if not (math.isfinite(parcel.due) and math.isfinite(parcel.ready) and parcel.attempts >= 0 and parcel.deferrals >= 0):
        raise UnreadableParcel("not a delivery: a time or a number that can't be")
    return parcel

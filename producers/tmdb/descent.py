"""What changed in one listed entity. A series is followed down to its seasons and their episodes.

`tv/{id}/changes` names a changed season by an item of key `season`, `tv/season/{id}/changes` a changed episode by one of key
`episode`. These pointers steer: one is a change of its own only where nothing is found behind it. The way down is also the
only place where a series' id and the numbers of season and episode are known together; the entities carry them as parents.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from producers.interface import BrokenItem
from producers.tmdb.client import NotFound, TmdbClient
from producers.tmdb.events import as_parent, entity
from producers.tmdb.models import EPISODE, SEASON, SHARED_TYPE, DateWindow, Item, Kind, Pointer
from producers.tmdb.parse import pointer
from runtime.http import BadResponse, ProviderUnavailable
from schemas.event import Entity

Problem = ProviderUnavailable | BadResponse

_ROUTE = {"series": "tv", "season": "tv/season", "episode": "tv/episode", "movie": "movie", "person": "person"}
_BELOW = {"series": SEASON, "season": EPISODE}


class ChildNotFound(BadResponse):
    """A season or an episode that is named is not there (yet): what is behind the pointer to it may still come."""


@dataclass(frozen=True)
class Manner:
    """How an entity is asked. `closing`: its day is over, and it is not asked again soon: every page is read, and a pointer with nothing
    behind it is published. `patient`: a named child that is not found is waited for. `held`: ids of pointers that were held back when it
    was asked before."""

    closing: bool = False
    patient: bool = False
    held: Collection[str] = ()


_PLAIN = Manner()


@dataclass
class Found:
    """Edits by entity, in the order of their times within each, and what stood in the way of finding more. `held`: ids of pointers with
    nothing behind them yet. `as_of`: the oldest of the answers' times, on TMDB's clock."""

    changes: list[tuple[Entity, Item]] = field(default_factory=list)
    broken: list[BrokenItem] = field(default_factory=list)
    problem: Problem | None = None
    held: set[str] = field(default_factory=set)
    as_of: datetime | None = None

    def add(self, other: Found) -> None:
        self.changes += other.changes
        self.broken += other.broken
        self.problem = self.problem or other.problem
        self.held |= other.held
        self.as_of = min((at for at in (self.as_of, other.as_of) if at is not None), default=None)


async def find_changes(client: TmdbClient, kind: Kind, entity_id: int, window: DateWindow, manner: Manner = _PLAIN) -> Found:
    """All edits of the entity, and of what is below it, in the window. `problem` is NotFound where it is gone itself.

    A route that fails spoils only what is behind it: the rest is there beside `problem`, and the entity is to be asked again.
    Raises CredentialsRejected.
    """
    return await _find(client, entity(SHARED_TYPE[kind], entity_id), window, manner)


async def _find(client: TmdbClient, subject: Entity, window: DateWindow, manner: Manner) -> Found:
    try:
        answer = await client.changes(_ROUTE[subject.type], int(subject.id), window, to_the_end=manner.closing)
    except ProviderUnavailable as problem:
        return Found(problem=problem)
    except NotFound as problem:
        if not subject.parents:
            return Found(problem=problem)
        # one that stays away has nothing behind its pointer, which is then published itself
        return Found(problem=ChildNotFound(str(problem), problem.body)) if manner.patient else Found()
    except BadResponse as problem:
        return Found(broken=[BrokenItem("bad-response", str(problem), problem.body)], problem=problem)
    below = Found()
    own: list[Item] = []
    steering: dict[int, list[Item]] = {}
    targets: dict[int, Pointer] = {}
    for item in answer.items:
        target = pointer(item) if item.key == _BELOW.get(subject.type) else None
        if target is None:
            own.append(item)
        else:
            steering.setdefault(target.id, []).append(item)
            targets[target.id] = target
    for target in targets.values():
        # one that was waited for before is not waited for again
        is_new = any(pointing.id not in manner.held for pointing in steering[target.id])
        below_manner = manner if is_new else replace(manner, patient=False)
        behind = await _find(client, _child(subject, target), window, below_manner)
        below.add(behind)
        # items that can't be read are something too: the pointer must not be published in their place
        if behind.changes or behind.broken or behind.problem or behind.held:
            continue
        for pointing in steering[target.id]:
            # what it points at may only be late: published at once, the edit would be published twice
            if manner.closing or pointing.id in manner.held:
                own.append(pointing)
            else:
                below.held.add(pointing.id)
    found = Found([(subject, item) for item in _by_time(own)], list(answer.broken), as_of=answer.as_of)
    found.add(below)
    return found


def _child(above: Entity, target: Pointer) -> Entity:
    return entity(_BELOW[above.type], target.id, target.number, (*above.parents, as_parent(above)))


def _by_time(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: item.time)

"""What changed in one listed entity. A series is followed down to its seasons and their episodes.

`tv/{id}/changes` names a changed season by an item of key `season`, `tv/season/{id}/changes` a changed episode by one of key
`episode`. These pointers steer: one is a change of its own only where nothing is found behind it. The way down is also the
only place where a series' id and the numbers of season and episode are known together; the entities carry them as parents.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

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


@dataclass
class Found:
    """Edits by entity, in the order of their times within each, and what stood in the way of finding more."""

    changes: list[tuple[Entity, Item]] = field(default_factory=list)
    broken: list[BrokenItem] = field(default_factory=list)
    problem: Problem | None = None

    def add(self, other: Found) -> None:
        self.changes += other.changes
        self.broken += other.broken
        self.problem = self.problem or other.problem


async def find_changes(client: TmdbClient, kind: Kind, entity_id: int, window: DateWindow) -> Found:
    """All edits of the entity, and of what is below it, in the window. `problem` is NotFound where it is gone itself.

    A route that fails spoils only what is behind it: the rest is there beside `problem`, and the entity is to be asked again.
    Raises CredentialsRejected.
    """
    return await _find(client, entity(SHARED_TYPE[kind], entity_id), window)


async def _find(client: TmdbClient, subject: Entity, window: DateWindow) -> Found:
    try:
        answer = await client.changes(_ROUTE[subject.type], int(subject.id), window)
    except ProviderUnavailable as problem:
        return Found(problem=problem)
    except NotFound as problem:
        # a season or episode that is gone has nothing behind its pointer, which then tells of it
        return Found() if subject.parents else Found(problem=problem)
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
        behind = await _find(client, _child(subject, target), window)
        below.add(behind)
        # items that can't be read are something too: the pointer must not be told in their place
        if not (behind.changes or behind.broken or behind.problem):
            own += steering[target.id]
    found = Found([(subject, item) for item in _by_time(own)], list(answer.broken))
    found.add(below)
    return found


def _child(above: Entity, target: Pointer) -> Entity:
    return entity(_BELOW[above.type], target.id, target.number, (*above.parents, as_parent(above)))


def _by_time(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: item.time)

"""PBS Media Manager's state: a tree of entities, and the changelog.

The data of an edit: `{"entries": [{"type", "id", "action", "offset"?, "updated_fields"?, "set"?, "create"?}]}`, one for
each changelog entry. `offset`: seconds that the entry's timestamp lies before or after the edit's time. `set`: the
attributes that change. `create`: the new entity's attributes and parent. An entry of another type than an entity's
(availability, image, link) only stands in the changelog.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from changecast.sandbox.edit import Edit, EditError, JsonObject

PLURALS = {
    "asset": "assets",
    "show": "shows",
    "franchise": "franchises",
    "special": "specials",
    "episode": "episodes",
    "season": "seasons",
    "collection": "collections",
    "station": "stations",
}
"""The types of entities, and the word for each in a path."""

HISTORY = 30 * 24 * 3600
"""Seconds of changelog kept."""

ENTRIES_KEPT = 50_000


@dataclass
class Entity:
    """`parent`: the id of the entity above: asset → episode, special, season, show or franchise; episode → season;
    season, special and collection → show; show → franchise. `readable`: false where the key has no access: 403."""

    type: str
    id: str
    attributes: JsonObject
    parent: str | None = None
    readable: bool = True


@dataclass(frozen=True)
class Entry:
    """One line of the changelog, in the order of the feed: by time, then as they came."""

    time: float
    number: int
    place: int
    type: str
    id: str | None
    action: str
    updated_fields: tuple[str, ...] | None = None


class PbsCatalogue:
    def __init__(self) -> None:
        self._entities: dict[str, Entity] = {}
        self.feed: list[Entry] = []

    def add(self, entity: Entity) -> Entity:
        self._entities[entity.id] = entity
        return entity

    def find(self, entity_id: str | None) -> Entity | None:
        return self._entities.get(entity_id) if entity_id else None

    def get(self, entity_id: str) -> Entity:
        entity = self._entities.get(entity_id)
        if entity is None:
            raise EditError(f"the sandbox's PBS has no entity {entity_id}")
        return entity

    def of_type(self, *types: str) -> list[Entity]:
        return [entity for entity in self._entities.values() if entity.type in types]

    def lineage(self, entity: Entity) -> list[Entity]:
        """The entity's parents, the nearest first."""
        above: list[Entity] = []
        parent = self.find(entity.parent)
        while parent is not None:
            above.append(parent)
            parent = self.find(parent.parent)
        return above

    def children(self, parent: Entity, entity_type: str) -> list[Entity]:
        return [e for e in self._entities.values() if e.parent == parent.id and e.type == entity_type]

    def readable(self, entity: Entity) -> bool:
        """Whether the sandbox's key may read it: neither it nor anything above it is closed."""
        return entity.readable and all(parent.readable for parent in self.lineage(entity))

    def since(self, time: float | None, inclusive: bool) -> list[Entry]:
        """The feed from this time on, oldest first; None: all of it."""
        if time is None:
            return self.feed
        if inclusive:
            return self.feed[bisect_left(self.feed, time, key=lambda entry: entry.time) :]
        return [entry for entry in self.feed if entry.time > time]

    def apply(self, edit: Edit) -> None:
        entries = edit.data["entries"]
        made = {entry["id"] for entry in entries if "create" in entry}
        for entry in entries:
            if entry["type"] in PLURALS and entry["id"] not in made:
                self.get(entry["id"])
        for place, entry in enumerate(entries):
            # The feed shows microseconds: kept finer, an entry could be older than its own timestamp says.
            self._take(round(edit.time + entry.get("offset", 0.0), 6), edit.number, place, entry)

    def _take(self, time: float, number: int, place: int, entry: JsonObject) -> None:
        if "create" in entry:
            self.add(Entity(type=entry["type"], id=entry["id"], **entry["create"]))
        entity = self.find(entry["id"]) if entry["type"] in PLURALS else None
        if entity is not None and entry["action"] == "delete":
            del self._entities[entity.id]
        elif entity is not None:
            entity.attributes |= {**entry.get("set", {}), "updated_at": pbs_time(time)}
        fields = _fields(entry.get("updated_fields"))
        self.record(Entry(time, number, place, entry["type"], entry["id"], entry["action"], fields))

    def record(self, entry: Entry) -> None:
        insort(self.feed, entry, key=lambda known: (known.time, known.number, known.place))
        if len(self.feed) > ENTRIES_KEPT:
            del self.feed[0]

    def prune(self, now: float) -> None:
        self.feed = self.since(now - HISTORY, inclusive=True)

    def dump(self) -> JsonObject:
        return {
            "entities": [vars(entity) for entity in self._entities.values()],
            "feed": [vars(entry) for entry in self.feed],
        }

    def restore(self, state: JsonObject) -> None:
        self._entities = {document["id"]: Entity(**document) for document in state["entities"]}
        self.feed = [Entry(**{**document, "updated_fields": _fields(document["updated_fields"])}) for document in state["feed"]]

    def size(self) -> Mapping[str, int]:
        return {kind: len(self.of_type(kind)) for kind in PLURALS}


def _fields(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def pbs_time(time: float) -> str:
    """`2017-08-23T18:36:20.664330Z`."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

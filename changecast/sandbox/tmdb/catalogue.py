"""TMDB's state: movies, series, seasons, episodes and persons, each with the items of its change history.

The data of an edit: `{"entity", "id", "items": [...], "first_item_id", "create"?, "remove"?}`. An item is what the
changes route shows, but for its id and time, which follow from the edit; an item that adds an image also carries the
`image` record that the images route then shows. An edit of a season or episode leaves pointer items above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from changecast.sandbox.edit import Edit, EditError, JsonObject

KINDS = ("movie", "series", "season", "episode", "person")

HISTORY = 15 * 24 * 3600
"""Seconds of history kept: the longest window that TMDB answers is 14 days."""

ITEMS_KEPT = 2000
"""Items kept for each entity, so that a sandbox that runs for weeks stays small."""

IMAGE_LISTS = {
    "poster": "posters",
    "backdrop": "backdrops",
    "title_logo": "logos",
    "still": "stills",
    "profile": "profiles",
}
"""The word for an image in a change item, and the list of the images route that holds it."""

PRIMARY = {
    "posters": "poster_path",
    "backdrops": "backdrop_path",
    "stills": "still_path",
    "profiles": "profile_path",
}
"""The field of the details that names the first image of a list."""

LISTS_OF = {
    "movie": ("backdrops", "logos", "posters"),
    "series": ("backdrops", "logos", "posters"),
    "season": ("posters",),
    "episode": ("stills",),
    "person": ("profiles",),
}


@dataclass
class Entity:
    """`parent`: the id of a season's series or an episode's season. `gone`: deleted, its routes answer 404."""

    kind: str
    id: int
    details: JsonObject
    images: dict[str, list[JsonObject]]
    external_ids: JsonObject = field(default_factory=dict)
    videos: list[JsonObject] = field(default_factory=list)
    parent: int | None = None
    gone: bool = False
    changes: list[tuple[float, str, JsonObject]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.details.get("title") or self.details.get("name") or self.id)


class TmdbCatalogue:
    def __init__(self) -> None:
        self._entities: dict[tuple[str, int], Entity] = {}

    def add(self, entity: Entity) -> Entity:
        for name in LISTS_OF[entity.kind]:
            entity.images.setdefault(name, [])
        self._entities[entity.kind, entity.id] = entity
        return entity

    def find(self, kind: str, entity_id: int) -> Entity | None:
        entity = self._entities.get((kind, entity_id))
        return None if entity is None or entity.gone else entity

    def get(self, kind: str, entity_id: int) -> Entity:
        entity = self.find(kind, entity_id)
        if entity is None:
            raise EditError(f"the sandbox's TMDB has no {kind} {entity_id}")
        return entity

    def of_kind(self, kind: str) -> list[Entity]:
        """Those that are there, in the order in which they came."""
        return [e for (of_kind, _), e in self._entities.items() if of_kind == kind and not e.gone]

    def children(self, parent: Entity) -> list[Entity]:
        kind, number = ("season", "season_number") if parent.kind == "series" else ("episode", "episode_number")
        found = [e for e in self.of_kind(kind) if e.parent == parent.id]
        return sorted(found, key=lambda e: int(e.details[number]))

    def child(self, parent: Entity, number: int) -> Entity | None:
        """The season of a series, or the episode of a season, by its number."""
        field_name = "season_number" if parent.kind == "series" else "episode_number"
        return next((e for e in self.children(parent) if e.details[field_name] == number), None)

    def lineage(self, entity: Entity) -> list[Entity]:
        """The entity's parents, the nearest first."""
        above: list[Entity] = []
        while entity.parent is not None:
            entity = self.get("series" if entity.kind == "season" else "season", entity.parent)
            above.append(entity)
        return above

    def changed(self, kind: str, start: float, end: float) -> list[Entity]:
        """Entities with an item in [start, end), also those that are gone; the one changed last comes first."""
        latest = [
            (max(times), entity)
            for (of_kind, _), entity in self._entities.items()
            if of_kind == kind and (times := [t for t, _, _ in entity.changes if start <= t < end])
        ]
        return [entity for _, entity in sorted(latest, key=lambda pair: -pair[0])]

    def apply(self, edit: Edit) -> None:
        data = edit.data
        if "create" in data:
            self._create(data)
        entity = self.get(data["entity"], data["id"])
        above = self.lineage(entity)
        for item in data["items"]:
            check_image(entity, item)
        next_id = _counting(data["first_item_id"])
        below = entity
        pointers = []
        for parent in above:
            pointers.append((parent, _pointer(below)))
            below = parent
        for parent, (key, value) in reversed(pointers):
            pointer = {"action": "updated", "iso_639_1": "", "iso_3166_1": "", "value": value}
            self._record(parent, edit.time, key, {"id": next(next_id), **pointer})
        for item in data["items"]:
            take_item(entity, item)
            shown = {k: v for k, v in item.items() if k not in ("key", "image")}
            self._record(entity, edit.time, item["key"], {"id": next(next_id), **shown})
        if data.get("remove"):
            entity.gone = True

    def _create(self, data: JsonObject) -> None:
        if (data["entity"], data["id"]) in self._entities:
            raise EditError(f"the sandbox's TMDB has a {data['entity']} {data['id']} already")
        self.add(Entity(kind=data["entity"], id=data["id"], **data["create"]))

    def _record(self, entity: Entity, time: float, key: str, item: JsonObject) -> None:
        entity.changes.append((time, key, {**item, "time": tmdb_time(time)}))
        if len(entity.changes) > 1 and entity.changes[-2][0] > time:
            entity.changes.sort(key=lambda change: change[0])
        del entity.changes[:-ITEMS_KEPT]

    def prune(self, now: float) -> None:
        for entity in self._entities.values():
            entity.changes = [change for change in entity.changes if change[0] >= now - HISTORY]

    def dump(self) -> JsonObject:
        return {"entities": [vars(entity) for entity in self._entities.values()]}

    def restore(self, state: JsonObject) -> None:
        self._entities.clear()
        for document in state["entities"]:
            changes = [(float(time), str(key), item) for time, key, item in document["changes"]]
            self.add(Entity(**{**document, "changes": changes}))

    def size(self) -> Mapping[str, int]:
        return {kind: len(self.of_kind(kind)) for kind in KINDS}


def tmdb_time(time: float) -> str:
    return datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def image_list(entity: Entity, word: str) -> str:
    """The list that an item's image word means. An episode's pictures are all stills, also those that an item calls
    `backdrop`, as the reference page of the episode changes does."""
    return "stills" if entity.kind == "episode" and word == "backdrop" else IMAGE_LISTS[word]


def check_image(entity: Entity, item: JsonObject) -> None:
    """Raises EditError when the item is about an image that can't be there or isn't there."""
    if item["key"] != "images":
        return
    word, of = _image_of(item)
    name = image_list(entity, word)
    if name not in entity.images:
        raise EditError(f"a {entity.kind} has no {word} images")
    there = any(image["file_path"] == of["file_path"] for image in entity.images[name])
    if not there and item["action"] != "added":
        raise EditError(f"{entity.kind} {entity.id} has no {word} {of['file_path']}")


def take_item(entity: Entity, item: JsonObject) -> None:
    """What the item does to the entity's details, images and videos. Keys that no route shows have no effect."""
    key = item["key"]
    if key == "images":
        _take_image(entity, item)
    elif key == "videos" and item["action"] == "added":
        entity.videos.append({"iso_639_1": "en", "iso_3166_1": "US", "official": True, **item["value"]})
    elif key == "videos":
        for video in entity.videos:
            if video["id"] == item["value"]["id"]:
                video.update(item["value"])
    elif key == "guest_stars":
        entity.details["guest_stars"] = [*entity.details.get("guest_stars", []), item["value"]]
    elif key == "release_dates" and item["value"].get("iso_3166_1") == "US":
        entity.details["release_date"] = item["value"]["release_date"]
    elif key in entity.details and "value" in item and item.get("iso_639_1") in (None, "", "en"):
        entity.details[key] = item["value"]


def _take_image(entity: Entity, item: JsonObject) -> None:
    word, of = _image_of(item)
    name = image_list(entity, word)
    images = entity.images[name]
    if item["action"] == "added":
        images.append(dict(item["image"]))
    elif item["action"] == "deleted":
        images[:] = [image for image in images if image["file_path"] != of["file_path"]]
    else:
        for image in images:
            if image["file_path"] == of["file_path"]:
                image["iso_639_1"] = None if of["iso_639_1"] == "xx" else of["iso_639_1"]
    field_name = PRIMARY.get(name)
    if field_name is not None:
        paths = [image["file_path"] for image in images]
        if entity.details.get(field_name) not in paths:
            entity.details[field_name] = paths[0] if paths else None


def _image_of(item: JsonObject) -> tuple[str, JsonObject]:
    """The word and the object of an image item, `{"poster": {"file_path", "iso_639_1"}}`."""
    holder: JsonObject = item.get("value") or item["original_value"]
    return next(iter(holder.items()))


def _pointer(entity: Entity) -> tuple[str, JsonObject]:
    """Key and value of the item by which an entity's parent says that something changed below it."""
    number = f"{entity.kind}_number"
    return entity.kind, {f"{entity.kind}_id": entity.id, number: entity.details[number]}


def _counting(first: str) -> Iterator[str]:
    """Ids from the first on: those of one edit are neighbours, as TMDB's are."""
    number = int(first, 16)
    while True:
        yield f"{number:024x}"
        number += 1


def grouped(changes: Iterable[tuple[float, str, JsonObject]]) -> list[dict[str, Any]]:
    """Items by key, as the changes routes show them: keys and items in the order of time."""
    by_key: dict[str, list[JsonObject]] = {}
    for _, key, item in changes:
        by_key.setdefault(key, []).append(item)
    return [{"key": key, "items": items} for key, items in by_key.items()]

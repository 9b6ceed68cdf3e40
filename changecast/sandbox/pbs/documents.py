"""PBS Media Manager's answers, made from the catalogue's entities. Shapes as recorded from the real API."""

from __future__ import annotations

from changecast.sandbox.edit import JsonObject
from changecast.sandbox.pbs.catalogue import PLURALS, Entity, Entry, PbsCatalogue, pbs_time

_SUMMARY = {
    "episode": ("slug", "ordinal", "segment", "title", "title_sortable", "updated_at"),
    "season": ("ordinal", "title", "title_sortable", "updated_at"),
    "show": ("title", "title_sortable", "slug", "display_episode_number", "updated_at"),
    "franchise": ("title", "title_sortable", "slug", "updated_at"),
    "special": ("title", "title_sortable", "slug", "updated_at"),
    "asset": (
        "slug",
        "title",
        "title_sortable",
        "description_short",
        "description_long",
        "object_type",
        "premiered_on",
        "encored_on",
        "duration",
        "legacy_tp_media_id",
        "tags",
        "updated_at",
        "availabilities",
        "images",
        "has_captions",
    ),
}
"""The attributes by which an entity is shown inside another one's document."""

_LINKS = {
    "episode": ("assets", "collections"),
    "season": ("episodes", "assets"),
    "show": ("seasons", "taxonomies", "assets", "collections", "specials"),
    "franchise": ("assets", "shows", "taxonomies"),
    "special": ("assets", "collections"),
    "collection": ("episodes", "specials"),
}

_ABOVE = {
    "episode": ("season", "show"),
    "season": ("show",),
    "special": ("show",),
    "collection": ("show",),
    "show": ("franchise",),
}
"""The parents in a document, by its type. An asset shows only the one right above it, and its `parent_tree`."""

_BELOW = {
    "episode": {"assets": "asset"},
    "season": {"episodes": "episode", "assets": "asset"},
    "special": {"assets": "asset"},
    "show": {"seasons": "season", "specials": "special", "assets": "asset"},
    "franchise": {"assets": "asset"},
}
"""The lists of children in a document, by its type."""

_TREE = {
    "asset": ("title", "slug"),
    "episode": ("title", "slug", "ordinal"),
    "special": ("title", "slug"),
    "season": ("title", "ordinal"),
    "show": ("title", "slug", "audience", "display_episode_number", "tracking_ga_page", "tracking_ga_event"),
    "franchise": ("title", "slug"),
}
"""The attributes of an asset's `parent_tree`, level by level."""


def entity_url(base: str, entity_type: str, entity_id: str) -> str:
    """`base`: the API's address, `…/api/v1`."""
    return f"{base}/{PLURALS[entity_type]}/{entity_id}/"


def document(catalogue: PbsCatalogue, entity: Entity, base: str) -> JsonObject:
    """The answer to GET of one entity."""
    address = entity_url(base, entity.type, entity.id)
    return {
        "links": {"self": address, **{word: f"{address}{word}/" for word in _LINKS.get(entity.type, ())}},
        "data": {
            "id": entity.id,
            "type": entity.type,
            "attributes": {**_pictured(entity.attributes, base), **_related(catalogue, entity, base)},
        },
        "meta": {"type": "resource"},
        "jsonapi": {"version": "1.0"},
    }


def _related(catalogue: PbsCatalogue, entity: Entity, base: str) -> JsonObject:
    """The entities above and below, as each type's document shows them."""
    above = {parent.type: summary(parent, base) for parent in catalogue.lineage(entity)}
    if entity.type == "asset":
        parent = catalogue.find(entity.parent)
        direct: JsonObject = dict.fromkeys(("episode", "special", "season", "show", "franchise"))
        if parent is not None:
            direct |= {"parent_tree": tree(catalogue, parent, base), parent.type: summary(parent, base)}
        return direct
    related: JsonObject = {kind: above.get(kind) for kind in _ABOVE.get(entity.type, ())}
    for word, kind in _BELOW.get(entity.type, {}).items():
        related[word] = [summary(child, base) for child in catalogue.children(entity, kind)]
    if entity.type == "episode":
        full = (asset for asset in related["assets"] if asset["attributes"]["object_type"] == "full_length")
        related["full_length_asset"] = next(full, None)
    return related


def summary(entity: Entity, base: str) -> JsonObject:
    shown = {key: entity.attributes.get(key) for key in _SUMMARY[entity.type]}
    return {
        "id": entity.id,
        "type": entity.type,
        "links": {"self": entity_url(base, entity.type, entity.id)},
        "attributes": _pictured(shown, base),
    }


def tree(catalogue: PbsCatalogue, entity: Entity, base: str) -> JsonObject:
    """An entity with its parent inside, and so on up to the top."""
    attributes = {key: entity.attributes.get(key) for key in _TREE[entity.type]}
    if entity.type == "show":
        attributes |= {"seasons_count": len(catalogue.children(entity, "season")), "franchise": None}
    parent = catalogue.find(entity.parent)
    if parent is not None:
        attributes[parent.type] = tree(catalogue, parent, base)
    return {
        "id": entity.id,
        "type": entity.type,
        "links": {"self": entity_url(base, entity.type, entity.id)},
        "attributes": attributes,
    }


def _pictured(attributes: JsonObject, base: str) -> JsonObject:
    """The attributes with whole addresses of pictures, which the catalogue keeps as paths."""
    shown = dict(attributes)
    pictures = base.removesuffix("/pbs/api/v1") + "/images/pbs"
    for key in ("images", "latest_asset_images"):
        if shown.get(key):
            shown[key] = [{**image, "image": pictures + image["image"]} for image in shown[key]]
    return shown


def entry_document(entry: Entry, base: str, null_ids: bool) -> JsonObject:
    """A line of the changelog. Availabilities, images and links have no address, and some no id (`null_ids`)."""
    attributes: JsonObject = {"action": entry.action, "timestamp": pbs_time(entry.time)}
    if entry.updated_fields is not None:
        attributes["updated_fields"] = list(entry.updated_fields)
    nameless = null_ids and entry.type in ("image", "link")
    entry_id = None if nameless else entry.id
    address = entity_url(base, entry.type, entry_id) if entry_id and entry.type in PLURALS else None
    return {"type": entry.type, "id": entry_id, "links": {"self": address}, "attributes": attributes}

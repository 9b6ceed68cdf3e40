"""Whether a parsed event has the form that matching and descriptions stand on. Any JSON may be in a topic; what passes here leads to no
error further on. Fields that are not named here are not looked at: a newer writer may have added some."""

from __future__ import annotations

from typing import Any

from schemas import versions
from schemas.alert import ALERT_SCHEMA
from schemas.event import CHANGE_SCHEMA

_MAX_DEPTH = 60
"""Lists and mappings within each other. Descriptions and filters go down by recursion; events of the providers have less than ten."""
_TEXT = (str, type(None))
_READABLE = frozenset({CHANGE_SCHEMA, ALERT_SCHEMA})


def newer_schema(document: dict[str, Any]) -> str | None:
    """The `dataschema` of an event that only a newer version can read."""
    return versions.newer_schema(document, _READABLE)


def is_too_deep(value: bytes, document: Any) -> bool:
    if value.count(b"{") + value.count(b"[") <= _MAX_DEPTH:
        return False
    level = [document]
    for _ in range(_MAX_DEPTH):
        level = [
            inner for one in level for inner in (one.values() if isinstance(one, dict) else one) if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def fault_of(data: dict[str, Any]) -> str | None:
    """What is wrong with the `data` of a change event; None for nothing."""
    entity, changes = data.get("entity"), data.get("changes")
    if not (isinstance(entity, dict) and isinstance(changes, list) and isinstance(data.get("provider"), str)):
        return "data lacks provider, entity or changes"
    if not isinstance(data.get("enrichment") or {}, dict):
        return "enrichment is no mapping"
    if not _are_all(data.get("images"), _is_image):
        return "images is no list of pictures"
    return _fault_of_entity(entity) or next((fault for change in changes if (fault := _fault_of_change(change))), None)


def _fault_of_entity(entity: dict[str, Any]) -> str | None:
    for name in ("type", "name", "url"):
        if not isinstance(entity.get(name, ""), _TEXT):
            return f"entity.{name} is no text"
    if not isinstance(entity.get("type"), str):
        return "entity lacks its type"
    if not _are_all(entity.get("parents"), _is_parent):
        return "entity.parents is no list of entities with type and id"
    return None


def _fault_of_change(change: Any) -> str | None:
    if not isinstance(change, dict):
        return "a change is no mapping"
    for name in ("key", "action"):
        if not isinstance(change.get(name), str):
            return f"a change has no {name} that is a text"
    return None if isinstance(change.get("language"), _TEXT) else "a change's language is no text"


def _are_all(items: Any, is_one: Any) -> bool:
    return items is None or (isinstance(items, list) and all(map(is_one, items)))


def _is_parent(parent: Any) -> bool:
    return (
        isinstance(parent, dict)
        and isinstance(parent.get("type"), str)
        and isinstance(parent.get("id"), str)
        and isinstance(parent.get("name"), _TEXT)
    )


def _is_image(image: Any) -> bool:
    return isinstance(image, dict)

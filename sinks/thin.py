"""The event without its weight: what changed, by ids and links. For bodies that are larger than receivers take."""

from __future__ import annotations

from typing import Any

import orjson

THIN_SCHEMA = "urn:changecast:schema:thin:1"
_MAX_CHANGES = 100


def thin(document: dict[str, Any], reason: str) -> bytes:
    """The same CloudEvent (id, type, subject, time) with `data` cut down to entity and changes without values; `data.thin` says why."""
    data = document["data"]
    entity = data["entity"]
    kept = {key: entity.get(key) for key in ("type", "native_type", "id", "name", "url", "parents", "number", "external_ids")}
    changes = [
        {key: change.get(key) for key in ("key", "action", "language", "country", "native_id")}
        for change in data["changes"][:_MAX_CHANGES]
    ]
    slim = {
        "provider": data["provider"],
        "entity": kept,
        "changes": changes,
        "changes_left_out": max(len(data["changes"]) - _MAX_CHANGES, 0),
        "enrichment": data.get("enrichment"),
        "observed_at": data.get("observed_at"),
        "thin": reason,
    }
    return orjson.dumps({**document, "dataschema": THIN_SCHEMA, "data": slim})

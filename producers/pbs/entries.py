"""The changelog's entries, read one by one: an entry that can't be read spoils no other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from producers.interface import BrokenItem
from schemas.event import Action, Entity
from schemas.urn import Urn

PROVIDER = "pbs"

ACTIONS: Mapping[str, Action] = {"create": Action.CREATED, "update": Action.UPDATED, "delete": Action.DELETED}
SHARED_TYPES: Mapping[str, str] = {"show": "series"}
"""PBS's words for entity types that differ from the shared ones. All others pass in lower case, also unknown ones."""

FIELD_KEYS: Mapping[str, str] = {"image": "images", "link": "links", "availability": "availabilities"}
"""What `updated_fields` calls a list by one of its items: changes of it have the document's word for their key, at all times."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the changelog. `timestamp` stands as given, since it is a part of the event's id; `time` is its value.
    `url` is links.self, null for what has no document of its own (seen: image, link, availability)."""

    native_type: str
    id: str
    action: str
    timestamp: str
    time: datetime
    url: str | None
    updated_fields: tuple[str, ...]

    @property
    def urn(self) -> Urn:
        return Urn(PROVIDER, shared_type(self.native_type), self.id)

    @property
    def entity(self) -> Entity:
        return Entity(type=shared_type(self.native_type), native_type=self.native_type, id=self.id, url=self.url)

    @property
    def event_id(self) -> str:
        """`pbs:asset:<cid>:update:2017-08-23T18:36:20.664330Z`"""
        return f"{self.urn}:{self.action}:{self.timestamp}"


def shared_type(native_type: str) -> str:
    word = native_type.lower()
    return SHARED_TYPES.get(word, word)


def native_type(word: str) -> str:
    """PBS's word for a shared type, as the changelog's `type` filter wants it."""
    natives = {shared: native for native, shared in SHARED_TYPES.items()}
    return natives.get(word.lower(), word.lower())


def parse_time(text: str) -> datetime:
    """Media Manager's times, with or without microseconds. One without a zone is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_entry(item: Any) -> Entry | BrokenItem:
    """One item of the changelog's `data`. A deleted link or a changed image has been seen with `id: null`."""
    try:
        attributes = item["attributes"]
        kind, action, timestamp = item["type"], attributes["action"], attributes["timestamp"]
        if not isinstance(kind, str) or not kind or action not in ACTIONS:
            return _broken(item, "bad-item", f"type {kind!r} with action {action!r} is none that the changelog documents")
        time = parse_time(timestamp)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return _broken(item, "bad-item", f"an entry can't be read ({type(error).__name__}: {error})")
    cid = item.get("id")
    if not isinstance(cid, str | int) or isinstance(cid, bool) or cid == "":
        return _broken(item, "no-entity-id", f"{action} of a {kind} at {timestamp} names no id", time)
    links = item.get("links")
    url = links.get("self") if isinstance(links, dict) else None
    fields = attributes.get("updated_fields")
    return Entry(
        native_type=kind,
        id=str(cid),
        action=action,
        timestamp=timestamp,
        time=time,
        url=url if isinstance(url, str) and url else None,
        updated_fields=tuple(FIELD_KEYS.get(str(name), str(name)) for name in fields) if isinstance(fields, list) else (),
    )


def _broken(item: Any, reason: str, error: str, time: datetime | None = None) -> BrokenItem:
    return BrokenItem(reason, f"pbs changelog: {error}", orjson.dumps(item), time)

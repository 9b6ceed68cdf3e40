"""TMDB's JSON read into values. One bad item is set aside as it came and never spoils its page.

Shapes: developer.themoviedb.org (changes, images, details, configuration), and what client authors recorded: `adult` and `id`
null in lists, items without value or with only the original one, languages that are "" or null or missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from producers.interface import BrokenItem
from producers.tmdb.models import Details, Item, Items, Listed, Picture, Pointer
from runtime.http import BadResponse
from schemas.event import Action

T = TypeVar("T")

_ACTIONS = {**{action.value: action for action in Action}, "destroyed": Action.DELETED}
"""By TMDB's word. `destroyed` is in TMDbLib's enum (#211), with a value. Any other word is an update: TMDB adds words unannounced."""

_NO_LANGUAGE = "xx"
"""TMDB's code for no language (`configuration/languages`), in items and since 2025-10 in images; `XX` for no country likewise."""

_PICTURE_KINDS = {"stills": "still", "posters": "poster", "backdrops": "backdrop", "logos": "logo", "profiles": "profile"}

_NAMES = ("title", "name")
_NUMBERS = ("season_number", "episode_number")
_PRIMARY = ("poster_path", "still_path", "profile_path")
_CHILDREN = (("seasons", "season_number"), ("episodes", "episode_number"))


def parse_list(document: Any) -> Listed:
    """`{results: [{id, adult}], page, total_pages, total_results}`. Raises BadResponse where `results` is no list.

    `total_results` has been seen to be 1 over a list of 1,320, so nothing is made of it; an empty day has `total_pages` 0.
    """
    results = _mapping(document).get("results")
    if not isinstance(results, list):
        raise BadResponse("a list of changes without `results`", orjson.dumps(document))
    ids, missing, broken = [], set(), []
    for entry in results:
        listed = whole(_mapping(entry).get("id"))
        if listed is None:
            broken.append(BrokenItem("no-entity-id", "a listed change has no id", orjson.dumps(entry)))
        else:
            ids.append(listed)
            if entry.get("adult", False) is None:
                missing.add(listed)
    return Listed(tuple(ids), whole(_mapping(document).get("total_pages")) or 0, frozenset(missing), tuple(broken))


def parse_changes(document: Any) -> Items:
    """`{changes: [{key, items: […]}]}`. Raises BadResponse where `changes` is no list."""
    groups = _mapping(document).get("changes")
    if not isinstance(groups, list):
        raise BadResponse("an entity's changes without `changes`", orjson.dumps(document))
    items: list[Item] = []
    broken: list[BrokenItem] = []
    for group in groups:
        key, members = _mapping(group).get("key"), _mapping(group).get("items")
        if not (isinstance(key, str) and key and isinstance(members, list)):
            broken.append(BrokenItem("bad-item", "a group of changes has no key or no items", orjson.dumps(group)))
            continue
        for member in members:
            try:
                items.append(_item(key, member))
            except ValueError as error:
                body = orjson.dumps({"key": key, "items": [member]})
                broken.append(BrokenItem("bad-item", f"a change of key {key}: {error}", body))
    return Items(tuple(items), tuple(broken))


def _item(key: str, member: Any) -> Item:
    if not isinstance(member, dict):
        raise ValueError("it is no object")  # noqa: TRY004  the caller tells bad data from bad code by this type
    item_id, action, time = member.get("id"), member.get("action"), member.get("time")
    if not (isinstance(item_id, str) and item_id):
        raise ValueError("it has no id")
    if not (isinstance(action, str) and action):
        raise ValueError("it has no action")
    return Item(
        id=item_id,
        key=key,
        action=_ACTIONS.get(action.lower(), Action.UPDATED),
        native_action=action,
        time=parse_time(time),
        language=code(member.get("iso_639_1")),
        country=code(member.get("iso_3166_1")),
        before=member.get("original_value"),
        after=member.get("value"),
    )


def parse_time(value: Any) -> datetime:
    """`2025-01-21 04:46:31 UTC`. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"its time {value!r} is no text")  # noqa: TRY004
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def pointer(item: Item) -> Pointer | None:
    """Where an item of key `season` or `episode` leads; None where it names no id. A deletion has only the original value."""
    for value in (item.after, item.before):
        target = whole(_mapping(value).get(f"{item.key}_id"))
        if target is not None:
            return Pointer(target, whole(_mapping(value).get(f"{item.key}_number")))
    return None


def parse_images(document: Any) -> tuple[Picture, ...]:
    """`{id, stills | posters | backdrops | logos | profiles: […]}`; an entry without a path is passed over."""
    return tuple(
        picture
        for key, kind in _PICTURE_KINDS.items()
        for entry in _entries(_mapping(document).get(key))
        if (picture := _picture(kind, entry)) is not None
    )


def _picture(kind: str, entry: Mapping[str, Any]) -> Picture | None:
    path = text(entry.get("file_path"))
    if path is None:
        return None
    return Picture(
        kind=kind,
        path=path,
        width=whole(entry.get("width")),
        height=whole(entry.get("height")),
        aspect_ratio=_number(entry.get("aspect_ratio")),
        language=code(entry.get("iso_639_1")),
        vote_average=_number(entry.get("vote_average")),
        vote_count=whole(entry.get("vote_count")),
    )


def parse_details(document: Any) -> Details:
    """Details of any entity. Raises BadResponse where there is no id."""
    found = _mapping(document)
    entity_id = whole(found.get("id"))
    if entity_id is None:
        raise BadResponse("details without an id", orjson.dumps(document))
    return Details(
        id=entity_id,
        name=_first(text(found.get(key)) for key in _NAMES),
        number=_first(whole(found.get(key)) for key in reversed(_NUMBERS)),
        primary_image=_first(text(found.get(key)) for key in _PRIMARY),
        external_ids=_external_ids(found),
        children={
            child: number
            for key, numbered in _CHILDREN
            for entry in _entries(found.get(key))
            if (child := whole(entry.get("id"))) is not None and (number := whole(entry.get(numbered))) is not None
        },
        fields={key: value for key, value in found.items() if not isinstance(value, dict | list)},
    )


def _external_ids(details: Mapping[str, Any]) -> dict[str, str]:
    """`imdb_id` of the details and what `append_to_response=external_ids` brings, TMDB's names kept."""
    named = {"imdb_id": details.get("imdb_id"), **_mapping(details.get("external_ids"))}
    return {key: str(value) for key, value in named.items() if key.endswith("_id") and _is_external_id(value)}


def _is_external_id(value: Any) -> bool:
    return text(value) is not None or (whole(value) or 0) > 0


def text(value: Any) -> str | None:
    """A text that says something: "" stands for nothing in TMDB's answers."""
    return value if isinstance(value, str) and value else None


def code(value: Any) -> str | None:
    """A language or country; None for "", null and TMDB's code for none."""
    named = text(value)
    return None if named is None or named.lower() == _NO_LANGUAGE else named


def whole(value: Any) -> int | None:
    """A whole number; true and false are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)

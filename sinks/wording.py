"""What people read about an event: the entity's name, and what changed. Pure, and the same in the terminal, in Slack and in records.

What is said of an event takes the parsed change event as it stands in the topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

PROVIDERS = {"tmdb": "TMDB", "pbs": "PBS Media Manager", "tvdb": "TheTVDB"}

_MAX_VALUE_CHARS = 160
_MAX_LIST_ITEMS = 5
_MANY = 3
"""More changes than this are told by number."""

_WORDS = {
    "images": "images",
    "overview": "description",
    "description_short": "short description",
    "description_long": "description",
    "title_sortable": "sortable title",
    "air_date": "air date",
    "premiered_on": "premiere",
    "encored_on": "encore",
    "updated_at": "time of update",
    "runtime": "running time",
    "imdb_id": "IMDb id",
    "tvdb_id": "TheTVDB id",
    "siteRating": "rating",
    "firstAired": "first aired",
}
_ENTITY_KEY, _GAP_KEY = "entity", "gap"
_LABELS = ("name", "title", "label", "value", "file_path", "path", "id")
"""Where an object says what it is, best first."""

Json = Mapping[str, Any]


def provider_name(event: Json) -> str:
    provider = str(event["data"]["provider"])
    return PROVIDERS.get(provider, provider)


def entity_name(event: Json) -> str:
    """`Game of Thrones S01E02 The Kingsroad`; `Nature season 4`; without names the entity's type and id."""
    entity = event["data"]["entity"]
    kind, name, number = entity.get("type"), entity.get("name"), entity.get("number")
    above = {parent.get("type"): parent for parent in entity.get("parents") or ()}
    show = (above.get("series") or {}).get("name")
    if kind == "episode":
        season = (above.get("season") or {}).get("number")
        return _joined(show, _episode_code(season, number), name) or _nameless(entity)
    if kind == "season":
        title = f"season {number}" if number is not None else name
        return _joined(show, title) if title else _joined(show, "season", entity.get("id"))
    if not name:
        outer = next((parent["name"] for parent in reversed(entity.get("parents") or ()) if parent.get("name")), None)
        return _joined(outer, _nameless(entity))
    return _joined(show if kind in ("special", "asset") and show != name else None, name)


def series_name(event: Json) -> str | None:
    """What a digest groups by: `Nature season 4` for its episodes, the show for its seasons; None where nothing is above."""
    entity = event["data"]["entity"]
    parents = [parent for parent in entity.get("parents") or () if parent.get("name") or parent.get("number") is not None]
    if not parents:
        return None
    shows = [parent["name"] for parent in parents if parent.get("name") and parent.get("type") != "season"]
    season = next((parent for parent in parents if parent.get("type") == "season"), None)
    number = season.get("number") if season else None
    return _joined(shows[-1] if shows else None, f"season {number}" if number is not None else None) or None


def change_words(event: Json) -> str:
    """`still added`; `title and overview updated`; `7 changes: images, cast and 2 more`."""
    changes = event["data"]["changes"]
    if not changes:
        return "nothing differs"
    said = dict.fromkeys(_phrase(event, change) for change in changes)
    if len(said) == 1:
        (phrase,) = said
        return phrase if len(changes) == 1 else f"{len(changes)} times {phrase}"
    if len(said) <= _MANY:
        return _same_action(event, changes) or _listed(list(said))
    keys = list(dict.fromkeys(_thing(change) for change in changes))
    return f"{len(changes)} changes: {_listed(keys, 2)}"


def detail_words(event: Json, change: Json) -> tuple[str, str | None, str | None]:
    """One change for a message: what it is (`title updated`), the value before and after in words."""
    return _phrase(event, change), value_words(change.get("before")), value_words(change.get("after"))


def value_words(value: Any) -> str | None:
    """A JSON value in words; None where there is none. Objects by what names them, lists by their first items."""
    if value is None or value in ("", [], {}):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return _object_words(value)
    if isinstance(value, list):
        items = [words for item in value[:_MAX_LIST_ITEMS] if (words := value_words(item))]
        more = len(value) - _MAX_LIST_ITEMS
        return cut(", ".join(items) + (f" and {more} more" if more > 0 else ""), _MAX_VALUE_CHARS)
    return cut(" ".join(str(value).split()), _MAX_VALUE_CHARS)


def cut(text: str, length: int) -> str:
    """At most `length` characters; what was cut off is shown as an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def length_words(length: timedelta) -> str:
    """`2 d 12 h`, `3 h 5 min`, `12 s`."""
    seconds = max(int(length / timedelta(seconds=1)), 0)
    for unit, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit:
            rest = seconds % unit // part
            return f"{seconds // unit} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{seconds} s"


def _object_words(value: Mapping[str, Any]) -> str:
    if len(value) == 1:
        (inner,) = value.values()
        if isinstance(inner, Mapping | list):
            return value_words(inner) or ""
    for label in _LABELS:
        if isinstance(value.get(label), str | int) and not isinstance(value.get(label), bool):
            return value_words(value[label]) or ""
    pairs = [f"{_word(key)}: {words}" for key, inner in value.items() if (words := value_words(inner))]
    return cut(", ".join(pairs[:_MAX_LIST_ITEMS]), _MAX_VALUE_CHARS)


def _phrase(event: Json, change: Json) -> str:
    key, action = change["key"], change["action"]
    if key == _GAP_KEY:
        return "a time is missing: the provider no longer has it"
    if key == _ENTITY_KEY:
        return _entity_phrase(event, change)
    language = change.get("language")
    return f"{_thing(change)} {action}" + (f" ({language})" if language else "")


def _entity_phrase(event: Json, change: Json) -> str:
    data = event["data"]
    status = (data.get("enrichment") or {}).get("status")
    words = {"created": "created", "added": "added", "deleted": "deleted"}.get(change["action"], "updated")
    if status == "forbidden":
        return f"{words} (not readable with this key)"
    if status == "failed":
        return f"{words} (details could not be fetched)"
    if (data.get("enrichment") or {}).get("baseline"):
        return f"{words}, seen for the first time"
    return words


def _thing(change: Json) -> str:
    """What a change is about: `still` for an image of that kind, else the field's name in words."""
    if change["key"] == "images":
        for value in (change.get("after"), change.get("before")):
            if isinstance(value, Mapping) and value:
                kind = value.get("kind") or (next(iter(value)) if len(value) == 1 else None)
                if isinstance(kind, str):
                    return kind.removeprefix("title_").replace("_", " ")
        return "image"
    return _word(change["key"])


def _same_action(event: Json, changes: Iterable[Json]) -> str | None:
    plain = [change for change in changes if change["key"] not in (_ENTITY_KEY, _GAP_KEY)]
    actions = {change["action"] for change in plain}
    if len(actions) != 1 or len(plain) != len(event["data"]["changes"]):
        return None
    return f"{_listed(list(dict.fromkeys(_thing(change) for change in plain)))} {actions.pop()}"


def _word(key: str) -> str:
    return _WORDS.get(key, key.replace("_", " ").replace("-", " "))


def _listed(items: list[str], most: int = _MANY) -> str:
    shown, more = items[:most], len(items) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _episode_code(season: int | None, number: int | None) -> str | None:
    if number is None:
        return None
    return f"S{season:02d}E{number:02d}" if season is not None else f"E{number:02d}"


def _nameless(entity: Json) -> str:
    return f"{entity.get('type', 'entity')} {entity.get('id', '?')}"


def _joined(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)

"""What people read about an event: the entity's name, and what changed. Pure, and the same in the terminal, in Slack and in records.

What is said of an event takes the parsed change event as it stands in the topic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

PROVIDERS = {"tmdb": "TMDB", "pbs": "PBS Media Manager", "tvdb": "TheTVDB"}

_MAX_VALUE_CHARS = 160
_MAX_LIST_ITEMS = 5
_MANY = 3
"""More changes than this are told by number."""
_LONG = 60
"""Characters from which of two texts only the part that differs is shown."""
_CONTEXT_WORDS = 3
"""Words that stay around that part, so that a reader finds the place."""

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
    "airsDayOfWeek": "weekday",
    "airsTime": "hour",
    "episodeName": "title",
}
_PICTURES = {"series": "banner", "season": "season poster", "seasonwide": "season banner"}
"""TheTVDB names these pictures by what they belong to."""
_OPPOSITE = {"added": "deleted", "deleted": "added"}
_IMAGES_KEY, _ENTITY_KEY, _GAP_KEY = "images", "entity", "gap"
_LABELS = ("name", "title", "episodeName", "label", "value", "file_path", "path", "id")
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
    """What a digest groups by: `Nature season 4` for all that belongs to it, `Nature` for the show itself and what is in no
    season; None where there is no show."""
    entity = event["data"]["entity"]
    own = {"type": entity.get("type"), "name": entity.get("name"), "number": entity.get("number")}
    above = {each.get("type"): each for each in (*(entity.get("parents") or ()), own)}
    show = (above.get("series") or {}).get("name")
    number = (above.get("season") or {}).get("number")
    return _joined(show, f"season {number}" if number is not None else None) or None


def change_words(event: Json) -> str:
    """`still added`; `title and overview updated`; `7 changes: images, cast and 2 more`."""
    changes = told_changes(event)
    if not changes:
        return "nothing differs"
    said = dict.fromkeys(_phrase(event, change) for change in changes)
    if len(said) == 1:
        (phrase,) = said
        return phrase if len(changes) == 1 else _times(phrase, changes)
    if len(said) <= _MANY:
        return _same_action(changes) or _listed(list(said))
    keys = list(dict.fromkeys(_thing(change) for change in changes))
    return f"{len(changes)} changes: {_listed(keys, 2)}"


def told_changes(event: Json) -> list[Json]:
    """The event's changes as a person would count them: a picture that went and one of its kind that came are one, `replaced`."""
    told: list[Json] = []
    waiting: dict[str, list[int]] = {}
    for change in event["data"]["changes"]:
        action = change["action"]
        if change["key"] != _IMAGES_KEY or action not in _OPPOSITE:
            told.append(change)
            continue
        thing = f"{_thing(change)} {change.get('language')}"
        if others := waiting.get(f"{_OPPOSITE[action]} {thing}"):
            place = others.pop(0)
            old, new = (told[place], change) if action == "added" else (change, told[place])
            told[place] = {**new, "action": "replaced", "before": old.get("before")}
        else:
            waiting.setdefault(f"{action} {thing}", []).append(len(told))
            told.append(change)
    return told


def detail_words(event: Json, change: Json) -> tuple[str, str | None, str | None]:
    """One change for a message: what it is (`title updated`), the value before and after in words. Of what is long, only
    what differs; of a picture, which is shown, only its size."""
    phrase, before, after = _phrase(event, change), change.get("before"), change.get("after")
    if change["key"] == _IMAGES_KEY:
        return phrase, None, _size_words(event, change)
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before and after:
        differing = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        before, after = ({key: value[key] for key in differing if key in value} for value in (before, after))
        if len(differing) == 1:
            (key,) = differing
            phrase = f"{_word(key)} of {phrase}"
            before, after = before.get(key), after.get(key)
    if isinstance(before, str) and isinstance(after, str):
        before, after = _differing(before, after)
    return phrase, value_words(before), value_words(after)


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


def _differing(before: str, after: str) -> tuple[str, str]:
    """Two texts without the words in which they agree at both ends, but for a few. Short ones stay whole."""
    old, new = before.split(), after.split()
    if max(len(before), len(after)) <= _LONG or old == new:
        return before, after
    lead = _agreeing(old, new)
    trail = _agreeing(old[lead:][::-1], new[lead:][::-1])
    lead, trail = max(lead - _CONTEXT_WORDS, 0), max(trail - _CONTEXT_WORDS, 0)
    shown = (" ".join(words[lead : len(words) - trail]) for words in (old, new))
    first, second = (f"{'… ' if lead else ''}{words}{' …' if trail else ''}" for words in shown)
    return first, second


def _agreeing(old: list[str], new: list[str]) -> int:
    """How many words the two have in common at their beginning."""
    return next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


def _size_words(event: Json, change: Json) -> str | None:
    """`1920 × 1080`, where the event knows the picture's size."""
    path = _picture_path(change.get("after"))
    for image in event["data"].get("images") or ():
        if path is not None and image.get("path") == path and image.get("width") and image.get("height"):
            return f"{image['width']} × {image['height']}"
    return None


def is_gone(event: Json, image: Json) -> bool:
    """Whether the event says of one of its pictures that it was deleted."""
    deleted = (change for change in event["data"]["changes"] if change["key"] == _IMAGES_KEY and change["action"] == "deleted")
    return any(image.get("path") == _picture_path(change.get("before")) for change in deleted)


def _picture_path(value: Any) -> str | None:
    """The path in an `images` change's value: the picture itself, or one below the name of its kind."""
    if not isinstance(value, Mapping) or not value:
        return None
    picture = next(iter(value.values())) if len(value) == 1 else value
    path = (picture.get("path") or picture.get("file_path")) if isinstance(picture, Mapping) else value.get("path")
    return path if isinstance(path, str) else None


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
    if words == "updated" and (data.get("enrichment") or {}).get("baseline"):
        return "seen for the first time"
    return words


def _thing(change: Json) -> str:
    """What a change is about: `still` for an image of that kind, `episode S01E06` for one of a list, else the field in words."""
    for value in (change.get("after"), change.get("before")):
        if not isinstance(value, Mapping) or not value:
            continue
        if change["key"] == _IMAGES_KEY:
            kind = value.get("kind") or (next(iter(value)) if len(value) == 1 else None)
            if isinstance(kind, str):
                return _PICTURES.get(kind) or _word(kind.removeprefix("title_"))
        code = _episode_code(value.get("airedSeason"), value.get("airedEpisodeNumber"))
        if change["key"] == "episodes" and code:
            return f"episode {code}"
    return "image" if change["key"] == _IMAGES_KEY else _word(change["key"])


def _times(phrase: str, changes: Sequence[Json]) -> str:
    """The same said of several: `2 stills added (en)`, `3 availabilities updated`, else `2 times title updated`."""
    thing = _thing(changes[0])
    if not thing.endswith("s") and changes[0]["key"] != _IMAGES_KEY:
        return f"{len(changes)} times {phrase}"
    plural = thing if thing.endswith("s") else f"{thing}s"
    return f"{len(changes)} {phrase.replace(thing, plural, 1)}"


def _same_action(changes: Sequence[Json]) -> str | None:
    plain = [change for change in changes if change["key"] not in (_ENTITY_KEY, _GAP_KEY)]
    actions = {change["action"] for change in plain}
    if len(actions) != 1 or len(plain) != len(changes):
        return None
    return f"{_listed(list(dict.fromkeys(_thing(change) for change in plain)))} {actions.pop()}"


def _word(key: str) -> str:
    return _WORDS.get(key, key.replace("_", " ").replace("-", " "))


def _listed(items: list[str], most: int = _MANY) -> str:
    shown, more = items[:most], len(items) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _episode_code(season: Any, number: Any) -> str | None:
    if not isinstance(number, int):
        return None
    return f"S{season:02d}E{number:02d}" if isinstance(season, int) else f"E{number:02d}"


def _nameless(entity: Json) -> str:
    return f"{entity.get('type', 'entity')} {entity.get('id', '?')}"


def _joined(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)

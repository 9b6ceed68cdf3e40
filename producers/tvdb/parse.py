"""Reading TheTVDB's JSON. One bad item spoils no list: it is given back as it came, beside what could be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import orjson

from producers.interface import BrokenItem
from producers.tvdb.models import (
    EpisodesSummary,
    Errors,
    ImageKind,
    Language,
    Picture,
    Pictures,
    Record,
    Records,
    Update,
)

T = TypeVar("T")

_YEAR_3000 = 32_503_680_000


class Unreadable(ValueError):
    """What TheTVDB gave is not what it documents. The message says in what."""


def data_of(document: Any) -> Any:
    """`data` of an answer. Raises Unreadable where the answer is no object with one."""
    if not isinstance(document, dict) or "data" not in document:
        raise Unreadable("no `data`")
    return document["data"]


def attributes_of(document: Any) -> dict[str, Any]:
    """`data` as an object of attributes. Raises Unreadable."""
    data = data_of(document)
    if not isinstance(data, dict):
        raise Unreadable("`data` is no object")
    return data


def list_of(document: Any) -> list[Any]:
    """`data` as a list; null has been seen for none. Raises Unreadable."""
    data = data_of(document)
    if data is None:
        return []
    if not isinstance(data, list):
        raise Unreadable(f"`data` is a {type(data).__name__}, not a list")
    return data


def words_of(document: Any) -> tuple[str, ...]:
    """The names that a …/params route lists. Some list them under a word of their own: {"data": {"params": […]}}."""
    data = data_of(document)
    if isinstance(data, dict):
        data = next((value for value in data.values() if isinstance(value, list)), None)
    if not isinstance(data, list):
        raise Unreadable("`data` is no list of names")
    return tuple(str(word) for word in data)


def errors_of(document: Any) -> Errors:
    """`errors`, which may come with status 200; none when absent."""
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, dict):
        return Errors()
    language = errors.get("invalidLanguage")
    return Errors(
        invalid_filters=_texts(errors.get("invalidFilters")),
        invalid_language=str(language) if language else None,
        invalid_query_params=_texts(errors.get("invalidQueryParams")),
    )


def record_of(item: Any) -> Record:
    """A series, episode or actor. Raises Unreadable where it is no object with an id."""
    if not isinstance(item, dict):
        raise Unreadable(f"a {type(item).__name__}, not an object")
    return Record(_id(item.get("id")), item)


def records_of(document: Any) -> Records:
    """A list of them, with the next page's number."""
    records, broken = _each(list_of(document), record_of)
    links = document.get("links")
    following = links.get("next") if isinstance(links, dict) else None
    return Records(records, broken, following if isinstance(following, int) and following > 0 else None)


def updates_of(document: Any) -> tuple[tuple[Update, ...], tuple[BrokenItem, ...]]:
    """The changed series, oldest first, each once: the list is served in no order."""
    updates, broken = _each(list_of(document), _update)
    latest = {(update.series_id, update.last_updated): update for update in updates}
    return tuple(sorted(latest.values(), key=lambda update: (update.last_updated, update.series_id))), broken


def pictures_of(document: Any) -> Pictures:
    pictures, broken = _each(list_of(document), _picture)
    return Pictures(pictures, broken)


def image_kinds_of(document: Any) -> tuple[ImageKind, ...]:
    """The kinds that there are images of, each once (they are listed once a language)."""
    kinds: dict[str, ImageKind] = {}
    for item in list_of(document):
        name = item.get("keyType") if isinstance(item, dict) else None
        if isinstance(name, str) and name:
            known = kinds.get(name, ImageKind(name))
            kinds[name] = ImageKind(
                name,
                tuple(dict.fromkeys((*known.resolutions, *_texts(item.get("resolution"))))),
                tuple(dict.fromkeys((*known.sub_keys, *_texts(item.get("subKey"))))),
            )
    return tuple(kinds.values())


def image_counts_of(document: Any) -> dict[str, int]:
    return {
        str(kind): int(count)
        for kind, count in attributes_of(document).items()
        if isinstance(count, int | str) and str(count).isdigit()
    }


def language_of(item: Any) -> Language:
    """A language; its route for one gives it bare or under `data`."""
    if isinstance(item, dict) and isinstance(item.get("data"), dict):
        item = item["data"]
    if not isinstance(item, dict) or not isinstance(item.get("abbreviation"), str):
        raise Unreadable("no language")
    return Language(int(item.get("id", 0)), item["abbreviation"], str(item.get("name", "")), str(item.get("englishName", "")))


def languages_of(document: Any) -> tuple[Language, ...]:
    return _each(list_of(document), language_of)[0]


def summary_of(document: Any) -> EpisodesSummary:
    """The summary, which the reference shows bare and the API has been seen to give under `data`."""
    data = document.get("data", document) if isinstance(document, dict) else None
    if not isinstance(data, dict) or "airedEpisodes" not in data:
        raise Unreadable("no summary of episodes")
    return EpisodesSummary(
        aired_episodes=_count(data.get("airedEpisodes")),
        aired_seasons=_texts(data.get("airedSeasons")),
        dvd_episodes=_count(data.get("dvdEpisodes")),
        dvd_seasons=_texts(data.get("dvdSeasons")),
    )


def _each(items: Iterable[Any], read: Callable[[Any], T]) -> tuple[tuple[T, ...], tuple[BrokenItem, ...]]:
    good: list[T] = []
    broken: list[BrokenItem] = []
    for item in items:
        try:
            good.append(read(item))
        except (ValueError, TypeError, OverflowError) as error:
            no_id = isinstance(item, dict) and item.get("id", ...) is None
            reason = "no-entity-id" if no_id else "bad-item"
            broken.append(BrokenItem(reason, f"tvdb: an item can't be read: {error}", orjson.dumps(item)))
    return tuple(good), tuple(broken)


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdigit():
        raise Unreadable(f"its id is {value!r}")
    return str(int(value))


def _update(item: Any) -> Update:
    if not isinstance(item, dict):
        raise Unreadable(f"a {type(item).__name__}, not an object")
    series_id, moment = _id(item.get("id")), item.get("lastUpdated")
    if isinstance(moment, bool) or not isinstance(moment, int | str) or not 0 <= int(moment) < _YEAR_3000:
        raise Unreadable(f"series {series_id} was last updated at {moment!r}")
    return Update(series_id, int(moment))


def _picture(item: Any) -> Picture:
    if not isinstance(item, dict) or not isinstance(item.get("fileName"), str) or not item["fileName"]:
        raise Unreadable("an image without a file name")
    rating = item.get("ratingsInfo")
    rating = rating if isinstance(rating, dict) else {}
    average, count = rating.get("average"), rating.get("count")
    return Picture(
        id=str(item.get("id", "")),
        key_type=str(item.get("keyType") or "image"),
        sub_key=str(item.get("subKey") or ""),
        file_name=item["fileName"],
        thumbnail=item.get("thumbnail") if isinstance(item.get("thumbnail"), str) else None,
        resolution=str(item.get("resolution") or ""),
        language=item.get("language") if isinstance(item.get("language"), str) and item["language"] else None,
        language_id=_count(item.get("languageId")),
        average=float(average) if isinstance(average, int | float) else None,
        count=int(count) if isinstance(count, int | float) else None,
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _count(value: Any) -> int:
    return int(value) if str(value).isdigit() else 0

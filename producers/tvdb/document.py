"""What of a series is compared: its fields, its episodes and actors as members, its images by path.

All attributes count, also those that are not known here, but for those of the setting `volatile`, which move with every vote or touch.
Content has been seen to change without `lastUpdated` moving, so that is no guide. An empty text is null: TheTVDB
writes both for what is not there. In the first configured language fields have their own names; in each further one the
translated ones stand beside them as `overview@de`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from producers.interface import Json
from producers.tvdb.models import Picture, Record
from schemas.event import Image

ARTWORK_HOST = "https://artworks.thetvdb.com"
_BANNERS = "banners/"
"""Where the pictures are, those of API v2 also. A picture's path is its file name there; some answers put the folder before it."""
_REFUSED_THUMBNAILS = "_cache/"
"""Paths of thumbnails as v2 names them, which the host refuses (SickChill#5725). There is one beside the picture instead: its name
with `_t`, as in all recorded artworks of v4."""

_SERIES_LEFT_OUT = frozenset({"id", "language"})
_EPISODE_LEFT_OUT = frozenset({"id", "seriesId", "language", "thumbAdded", "thumbAuthor"})
_ACTOR_LEFT_OUT = frozenset({"id", "seriesId", "imageAdded", "imageAuthor"})

_SERIES_TRANSLATED = ("seriesName", "overview")
_EPISODE_TRANSLATED = ("episodeName", "overview")

PRIMARY_KINDS = ("poster", "fanart", "series")
_PICTURE_FIELDS = {"poster": "poster", "fanart": "fanart", "banner": "series"}
"""The series' fields that name a picture, and the kind that it is of."""
_MEMBER_PICTURES = {"episodes": ("filename", "episode"), "actors": ("image", "actor")}
"""The field of a member that names its picture, and the kind that it is of."""
_MEMBER_SIZE = ("thumbWidth", "thumbHeight")
"""The fields of an episode with the size of its picture, in pixels and as texts."""
_SEASON_KINDS = frozenset({"season", "seasonwide"})

_NO_LANGUAGES: Mapping[int, str] = MappingProxyType({})

_RESOLUTION = re.compile(r"(\d{1,5})x(\d{1,5})")


def series_fields(series: Record, translations: Mapping[str, Record]) -> dict[str, Json]:
    """The compared fields of a series. `translations`: the series in the further languages, by language."""
    return _with_translations(_plain(series, _SERIES_LEFT_OUT), _SERIES_TRANSLATED, translations)


def last_updated(series: Record) -> datetime | None:
    """`lastUpdated` of the series, in Unix seconds as a number or a text; None where it is neither."""
    value = series.attributes.get("lastUpdated")
    try:
        return datetime.fromtimestamp(int(value), UTC) if isinstance(value, int | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError, OSError):
        return None


def episode_fields(episode: Record, translations: Mapping[str, Record]) -> dict[str, Json]:
    return _with_translations(_plain(episode, _EPISODE_LEFT_OUT), _EPISODE_TRANSLATED, translations)


def actor_fields(actor: Record) -> dict[str, Json]:
    return _plain(actor, _ACTOR_LEFT_OUT)


def images_by_path(pictures: Iterable[Picture], series: Record, languages: Mapping[int, str] = _NO_LANGUAGES) -> dict[str, Image]:
    """All pictures by path, with the poster, fan art and banner that the series itself names, should no list have them.
    `languages`: abbreviations by id, for pictures that name only the id."""
    images: dict[str, Image] = {}
    # the same file is listed under several ids: which is read must not depend on the order in which they are served
    for picture in sorted(pictures, key=lambda picture: (len(picture.id), picture.id, picture.language or "")):
        images.setdefault(picture.file_name, _image(picture, languages))
    for name, kind in _PICTURE_FIELDS.items():
        path = series.text(name)
        if path is not None:
            images.setdefault(path, image_at(path, kind))
    return images


def primary_image(images: Mapping[str, Image], series: Record) -> str | None:
    """The path of the poster that the series names, else of its best picture: a poster before fan art before a banner."""
    for name in _PICTURE_FIELDS:
        path = series.text(name)
        if path in images:
            return path
    for kind in PRIMARY_KINDS:
        rated = [(image.vote_average or 0.0, path) for path, image in images.items() if image.kind == kind]
        if rated:
            return max(rated)[1]
    return next(iter(images), None)


def image_at(path: str, kind: str = "image", size: tuple[int | None, int | None] = (None, None)) -> Image:
    """The picture at a path, of which at most kind and size are known."""
    width, height = size
    return Image(kind=kind, url=_url(path), width=width, height=height, aspect_ratio=_aspect_ratio(width, height), path=path)


def pictured(key: str, before: Json, after: Json) -> Image | None:
    """The picture that a change names: a picture itself, a field that names one, an episode's or actor's picture when it came, went or
    was replaced."""
    if key in _PICTURE_FIELDS:
        shown = after or before
        return image_at(shown, _PICTURE_FIELDS[key]) if isinstance(shown, str) else None
    old, new = (value if isinstance(value, dict) else {} for value in (before, after))
    if key == "images":
        shown = new or old
        return image_at(shown["path"], str(shown.get("kind", "image"))) if isinstance(shown.get("path"), str) else None
    if key in _MEMBER_PICTURES:
        field, kind = _MEMBER_PICTURES[key]
        if old.get(field) != new.get(field):
            member = new if new.get(field) else old
            shown = member.get(field)
            return image_at(shown, kind, _member_size(member)) if isinstance(shown, str) and shown else None
    return None


def _member_size(member: Mapping[str, Any]) -> tuple[int | None, int | None]:
    width, height = (str(member.get(name) or "") for name in _MEMBER_SIZE)
    return size_of(f"{width}x{height}")


def size_of(resolution: str) -> tuple[int | None, int | None]:
    """`1920x1080` as width and height in pixels; None and None where it is something else."""
    match = _RESOLUTION.fullmatch(resolution.strip())
    return (int(match[1]), int(match[2])) if match else (None, None)


def _image(picture: Picture, languages: Mapping[int, str]) -> Image:
    width, height = size_of(picture.resolution)
    is_of_season = picture.key_type in _SEASON_KINDS and picture.sub_key.isdecimal()
    return Image(
        kind=picture.key_type,
        url=_url(picture.file_name),
        thumbnail_url=_url(_thumbnail(picture)) if picture.thumbnail else None,
        width=width,
        height=height,
        aspect_ratio=_aspect_ratio(width, height),
        language=picture.language or languages.get(picture.language_id),
        vote_average=picture.average,
        vote_count=picture.count,
        path=picture.file_name,
        season=int(picture.sub_key) if is_of_season else None,
    )


def _thumbnail(picture: Picture) -> str:
    """The path of the thumbnail. Not called for a picture without one."""
    assert picture.thumbnail is not None
    if not picture.thumbnail.lstrip("/").removeprefix(_BANNERS).startswith(_REFUSED_THUMBNAILS):
        return picture.thumbnail
    name, dot, extension = picture.file_name.rpartition(".")
    return f"{name}_t{dot}{extension}" if dot and "/" not in extension else f"{picture.file_name}_t"


def _url(path: str) -> str:
    if path.startswith(("http://", "https://")):
        return path
    return f"{ARTWORK_HOST}/{_BANNERS}{path.lstrip('/').removeprefix(_BANNERS)}"


def _aspect_ratio(width: int | None, height: int | None) -> float | None:
    return round(width / height, 3) if width and height else None


def _plain(record: Record, left_out: frozenset[str]) -> dict[str, Json]:
    return {name: _none_if_empty(value) for name, value in record.attributes.items() if name not in left_out}


def _with_translations(
    fields: dict[str, Json], translated: tuple[str, ...], translations: Mapping[str, Record]
) -> dict[str, Json]:
    for language, record in translations.items():
        for name in translated:
            fields[f"{name}@{language}"] = _none_if_empty(record.attributes.get(name))
    return fields


def _none_if_empty(value: Any) -> Json:
    return None if value == "" else value

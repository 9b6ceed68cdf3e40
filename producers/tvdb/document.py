"""What of a series is compared: its fields, its episodes and actors as members, its images by path.

All attributes count, also those that are not known here, but for those of the setting `volatile`, which move with every vote or touch.
Content has been seen to change without `lastUpdated` moving, so that is no guide. An empty text is null: TheTVDB
writes both for what is not there. In the first configured language fields have their own names; in each further one the
translated ones stand beside them as `overview@de`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from producers.interface import Json
from producers.tvdb.models import Picture, Record
from schemas.event import Image

ARTWORK = "https://artworks.thetvdb.com/banners/"
"""Where the pictures are, those of API v2 also. A picture's path is its file name there."""

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

_RESOLUTION = re.compile(r"(\d{1,5})x(\d{1,5})")


def series_fields(series: Record, translations: Mapping[str, Record]) -> dict[str, Json]:
    """The compared fields of a series. `translations`: the series in the further languages, by language."""
    return _with_translations(_plain(series, _SERIES_LEFT_OUT), _SERIES_TRANSLATED, translations)


def episode_fields(episode: Record, translations: Mapping[str, Record]) -> dict[str, Json]:
    return _with_translations(_plain(episode, _EPISODE_LEFT_OUT), _EPISODE_TRANSLATED, translations)


def actor_fields(actor: Record) -> dict[str, Json]:
    return _plain(actor, _ACTOR_LEFT_OUT)


def images_by_path(pictures: Iterable[Picture], series: Record) -> dict[str, Image]:
    """All pictures by path, with the poster, fan art and banner that the series itself names, should no list have them."""
    images: dict[str, Image] = {}
    # the same file is listed under several ids: which is read must not depend on the order in which they are served
    for picture in sorted(pictures, key=lambda picture: (len(picture.id), picture.id, picture.language or "")):
        images.setdefault(picture.file_name, _image(picture))
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


def image_at(path: str, kind: str = "image") -> Image:
    """The picture at a path, of which nothing else is known."""
    return Image(kind=kind, url=_url(path), path=path)


def pictured_paths(key: str, before: Json, after: Json) -> list[tuple[str, str]]:
    """The pictures that a change names, as path and kind: a picture itself, a field that names one, an episode's or actor's
    picture when it came, went or was replaced."""
    if key in _PICTURE_FIELDS:
        shown = after or before
        return [(shown, _PICTURE_FIELDS[key])] if isinstance(shown, str) else []
    old, new = (value if isinstance(value, dict) else {} for value in (before, after))
    if key == "images":
        shown = new or old
        return [(shown["path"], str(shown.get("kind", "image")))] if isinstance(shown.get("path"), str) else []
    if key in _MEMBER_PICTURES:
        field, kind = _MEMBER_PICTURES[key]
        if old.get(field) != new.get(field):
            shown = new.get(field) or old.get(field)
            return [(shown, kind)] if isinstance(shown, str) else []
    return []


def size_of(resolution: str) -> tuple[int | None, int | None]:
    """`1920x1080` as width and height in pixels; None and None where it is something else."""
    match = _RESOLUTION.fullmatch(resolution.strip())
    return (int(match[1]), int(match[2])) if match else (None, None)


def _image(picture: Picture) -> Image:
    width, height = size_of(picture.resolution)
    return Image(
        kind=picture.key_type,
        url=_url(picture.file_name),
        thumbnail_url=_url(picture.thumbnail) if picture.thumbnail else None,
        width=width,
        height=height,
        aspect_ratio=round(width / height, 3) if width and height else None,
        language=picture.language,
        vote_average=picture.average,
        vote_count=picture.count,
        path=picture.file_name,
    )


def _url(path: str) -> str:
    return path if path.startswith(("http://", "https://")) else ARTWORK + path.lstrip("/")


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

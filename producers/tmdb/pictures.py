"""Pictures with full URLs: where TMDB serves them and in which sizes stands in `/configuration`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from producers.tmdb.models import Picture
from producers.tmdb.parse import code
from runtime.http import BadResponse
from schemas.event import Change, Image

ORIGINAL = "original"

_THUMBNAIL_WIDTH = {"poster": 342, "backdrop": 780, "still": 300, "logo": 300, "profile": 185}
"""Wide enough for a Slack message or a list, and a tenth of the original's bytes or less."""

_CHANGED_KINDS = {"title_logo": "logo"}
"""Kinds of pictures that changes call by another word than the images routes."""


@dataclass(frozen=True)
class ImageHost:
    """`base_url` ends in a slash. `sizes` by kind of picture, as `{"poster": ("w92", …, "original")}`."""

    base_url: str = "https://image.tmdb.org/t/p/"
    sizes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def url(self, path: str) -> str:
        return f"{self.base_url}{ORIGINAL}{path}"

    def thumbnail_url(self, kind: str, path: str) -> str | None:
        """The widest size that is no wider than the kind needs; None where there is none.

        A logo may be an SVG, which is served as it is in the original size only; the others are drawn as PNG.
        """
        widths = {int(size[1:]): size for size in self.sizes.get(kind, ()) if size[0] == "w" and size[1:].isdigit()}
        wanted = max((width for width in widths if width <= _THUMBNAIL_WIDTH.get(kind, 0)), default=None)
        if wanted is None:
            return None
        drawn = path.removesuffix(".svg") + ".png" if path.endswith(".svg") else path
        return f"{self.base_url}{widths[wanted]}{drawn}"

    def image(self, picture: Picture) -> Image:
        return Image(
            kind=picture.kind,
            url=self.url(picture.path),
            thumbnail_url=self.thumbnail_url(picture.kind, picture.path),
            width=picture.width,
            height=picture.height,
            aspect_ratio=picture.aspect_ratio,
            language=picture.language,
            vote_average=picture.vote_average,
            vote_count=picture.vote_count,
            path=picture.path,
        )

    def bare(self, kind: str, path: str, language: str | None = None) -> Image:
        """A picture of which nothing but the path is known."""
        return Image(kind=kind, url=self.url(path), thumbnail_url=self.thumbnail_url(kind, path), language=language, path=path)


def parse_configuration(document: Any) -> ImageHost:
    """`{images: {secure_base_url, base_url, poster_sizes: […], …}}`. Raises BadResponse where no base URL is given."""
    images = document.get("images") if isinstance(document, dict) else None
    base_url = (images.get("secure_base_url") or images.get("base_url")) if isinstance(images, dict) else None
    if not isinstance(images, dict) or not isinstance(base_url, str):
        raise BadResponse("a configuration without `images.secure_base_url`", orjson.dumps(document))
    sizes = {
        name.removesuffix("_sizes"): tuple(size for size in values if isinstance(size, str) and size)
        for name, values in images.items()
        if name.endswith("_sizes") and isinstance(values, list)
    }
    return ImageHost(base_url.rstrip("/") + "/", sizes)


def pictured(change: Change, images: Mapping[str, Image], host: ImageHost) -> list[Image]:
    """The pictures that a change of key `images` names: those after it, or before it where it took them away.

    The value is `{"poster" | "backdrop" | "still" | "title_logo" | "profile": {"file_path", "iso_639_1"}}`. The entity's own
    entry of that path is preferred: it has the sizes, and its kind is right (an episode's stills are called backdrops in its changes).
    """
    if change.key != "images":
        return []
    named = list(_named(change.after)) or list(_named(change.before))
    return [images.get(path) or host.bare(kind, path, language) for kind, path, language in named]


def _named(value: Any) -> Iterator[tuple[str, str, str | None]]:
    """Kind, path and language of each picture in a value."""
    if not isinstance(value, dict):
        return
    named: dict[str, Any] = value
    for kind, entry in named.items():
        path = entry.get("file_path") if isinstance(entry, dict) else None
        if isinstance(path, str) and path:
            yield _CHANGED_KINDS.get(kind, kind), path, code(entry.get("iso_639_1"))

"""What of an entity's document is compared: fields, links and availabilities as members, images by path.

Everything in `attributes` counts, also what is not known here, but for this:
- What the setting `volatile` names, at any depth: `updated_at` moves without a change that anybody could see.
- `player_code`, which repeats the id in a page of HTML.
- Lists of children (`assets`, `episodes`, `seasons`, `specials`, `shows`, `collections`) and links that were inherited
  (`season_links`, `episode_links`): a change there is an entry of its own in the changelog.
- Of an embedded entity only the id, of a reference (genre, platform, country, topic) only its name, of a file (video,
  caption) only the profile: its URL is a
  redirect or a file name with a random part, and nothing says that it stays the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from producers.interface import Json
from schemas.event import Image

IMAGE_BASE = "https://image.pbs.org"
"""Where Media Manager's pictures are. An image's path is its URL without this."""

_LEFT_OUT = frozenset(
    {
        "player_code",
        "parent_tree",
        "assets",
        "collections",
        "episodes",
        "seasons",
        "shows",
        "specials",
        "episode_links",
        "season_links",
    }
)
_IMAGES = ("images", "latest_asset_images")
"""A season or collection has no pictures of its own: the newest asset's stand for it. For an episode, the full-length asset's do."""
_MEMBERS = ("links", "availabilities")

_RATIO = re.compile(r"(\d{1,2})x(\d{1,2})$")
_MEZZANINE = re.compile(r"mezzanine-?16x9$")


def fields_of(attributes: Mapping[str, Any]) -> dict[str, Json]:
    """The compared fields by PBS's names. Children lists that hold embedded entities under other names are left out too."""
    plain = {}
    for name, value in attributes.items():
        if name in _LEFT_OUT or name in _IMAGES or name in _MEMBERS:
            continue
        if isinstance(value, list) and any(_is_entity(item) for item in value):
            continue
        plain[name] = _plain(value)
    return plain


def members_of(attributes: Mapping[str, Any]) -> dict[str, dict[str, Json]]:
    """`links` by profile (`producer`, `facebook`, …; a second one of a profile as `producer#2`), `availabilities` by audience."""
    members: dict[str, dict[str, Json]] = {}
    links, availabilities = attributes.get("links"), attributes.get("availabilities")
    if isinstance(links, list):
        members["links"] = {}
        for link in links:
            if isinstance(link, dict):
                key = _unused(str(link.get("profile", "link")), members["links"])
                members["links"][key] = _plain({"value": link.get("value")})
    if isinstance(availabilities, dict):
        members["availabilities"] = {str(name): _plain(value) for name, value in availabilities.items()}
    return members


def images_of(attributes: Mapping[str, Any]) -> dict[str, Image]:
    """The pictures by path. Two profiles that share a file get `path` and `path#profile`."""
    images: dict[str, Image] = {}
    asset = attributes.get("full_length_asset")
    inner = asset.get("attributes") if isinstance(asset, dict) else None
    holders = (attributes, inner) if isinstance(inner, dict) else (attributes,)
    for listed in (holder.get(name) for holder in holders for name in _IMAGES):
        for item in listed if isinstance(listed, list) else ():
            url = item.get("image") if isinstance(item, dict) else None
            if not isinstance(url, str) or not url:
                continue
            profile = str(item.get("profile") or "image")
            path = _path(url)
            if path in images:
                path = f"{path}#{profile}"
            images[path] = image_at(path, profile)
    return images


def image_at(path: str, profile: str = "image") -> Image:
    """The picture at a path. PBS gives no sizes; the profile often tells the ratio (`show-poster2x3`)."""
    url = f"{IMAGE_BASE}{path}" if path.startswith("/") else path
    ratio = _RATIO.search(profile)
    width, height = (int(ratio[1]), int(ratio[2])) if ratio else (0, 0)
    return Image(
        kind=profile,
        url=url,
        path=path,
        aspect_ratio=round(width / height, 3) if width and height else None,
    )


def primary_image(images: Mapping[str, Image]) -> str | None:
    """The path of the 16x9 mezzanine, which recorded shows, franchises and assets all have; else of the first picture."""
    mezzanine = (path for path, image in images.items() if _MEZZANINE.search(image.kind))
    return next(mezzanine, next(iter(images), None))


def name_of(attributes: Mapping[str, Any]) -> str | None:
    """The title; of a station its name or call sign. None where it is empty, as many seasons' titles are."""
    for key in ("title", "name", "full_common_name", "short_common_name", "call_sign"):
        name = attributes.get(key)
        if isinstance(name, str) and name.strip():
            return name
    return None


def updated_at_of(attributes: Mapping[str, Any]) -> datetime | None:
    """`updated_at`, with microseconds or without; None where it is no time."""
    value = attributes.get("updated_at")
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def number_of(attributes: Mapping[str, Any]) -> int | None:
    ordinal = attributes.get("ordinal")
    return ordinal if isinstance(ordinal, int) and not isinstance(ordinal, bool) else None


def external_ids_of(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Ids elsewhere: NOLA (program code), TMS (Gracenote), and the id of the player's media."""
    named = {key: attributes.get(key) for key in ("nola", "tms_id", "legacy_tp_media_id")}
    return {key: str(value) for key, value in named.items() if value}


def public_url(entity_type: str, attributes: Mapping[str, Any]) -> str | None:
    """The page on pbs.org of a show or a video. Other entities have none of their own."""
    slug = attributes.get("slug")
    if not isinstance(slug, str) or not slug:
        return None
    section = {"series": "show", "asset": "video"}.get(entity_type)
    return f"https://www.pbs.org/{section}/{slug}/" if section else None


def _plain(value: Any) -> Json:
    if isinstance(value, dict):
        return _plain_object(value)
    if isinstance(value, list):
        return _plain_list(value)
    return value


def _plain_object(value: Mapping[str, Any]) -> Json:
    if _is_entity(value):
        return value["id"]
    if _is_reference(value):
        return _reference(value)
    return {name: _plain(item) for name, item in value.items()}


def _plain_list(values: list[Any]) -> list[Json]:
    if values and all(_is_file(item) for item in values):
        return sorted(str(item["profile"]) for item in values)
    plain = [_plain(item) for item in values]
    # a list of references is a set: the order in which it is served says nothing
    is_set = plain and all(_is_reference(item) for item in values)
    return sorted(plain, key=str) if is_set else plain


def _reference(value: Mapping[str, Any]) -> Json:
    names = (value.get(key) for key in ("slug", "code", "name", "title", "id"))
    return next(name for name in names if isinstance(name, str) and name)


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), str) and value["id"] != ""


def _is_entity(value: Any) -> bool:
    return _is_reference(value) and "type" in value and "attributes" in value


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and "profile" in value and "url" in value


def _path(url: str) -> str:
    """The URL without PBS's picture server, whose scheme is given as http or https for the same file."""
    for scheme in ("https:", "http:"):
        base = scheme + IMAGE_BASE.removeprefix("https:")
        if url.startswith(f"{base}/"):
            return url.removeprefix(base)
    return url


def _unused(key: str, taken: Mapping[str, Any]) -> str:
    if key not in taken:
        return key
    return next(f"{key}#{number}" for number in range(2, len(taken) + 3) if f"{key}#{number}" not in taken)

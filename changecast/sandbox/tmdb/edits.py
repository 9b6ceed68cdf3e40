"""The edits that people make at TMDB: what is plausible, and how often."""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from changecast.sandbox import words
from changecast.sandbox.edit import Draw, EditKind, JsonObject, Proposal
from changecast.sandbox.tmdb.catalogue import Entity, TmdbCatalogue, image_list
from changecast.sandbox.tmdb.samples import movie

SIZES = {
    "poster": ((1000, 1500), (2000, 3000)),
    "backdrop": ((1920, 1080), (3840, 2160)),
    "still": ((1920, 1080), (1280, 720), (3840, 2160)),
    "title_logo": ((1500, 500), (800, 310)),
    "profile": ((1000, 1500), (600, 900)),
}

LANGUAGES = ("en", "fr", "de", "es", "pt", "it", "ja", "ko", "pl", "wa", "bg", "xx")

MOST_IMAGES = 30
"""Images of one list beyond which none is added: a sandbox that runs for weeks stays small."""

MOST_MOVIES = 400


def _pick(catalogue: TmdbCatalogue, kind: str, draw: Draw) -> Entity:
    if draw.target is not None:
        return catalogue.get(kind, int(draw.target))
    return draw.random.choice(catalogue.of_kind(kind))


def _hex(draw: Draw) -> str:
    """A new id as TMDB makes them: the time, then chance. Even at the end: an edit's further ids count up from it."""
    return f"{int(draw.time):08x}{draw.random.getrandbits(48):012x}{draw.random.getrandbits(8) << 8:04x}"


def _path(random: Random, extension: str) -> str:
    return "/" + "".join(random.choices(string.ascii_letters + string.digits, k=27)) + "." + extension


def _title(catalogue: TmdbCatalogue, entity: Entity) -> str:
    """A name that says where a season or episode belongs."""
    above = catalogue.lineage(entity)
    if entity.kind == "episode":
        number = f"{entity.details['season_number']}×{entity.details['episode_number']:02d}"
        return f"{above[-1].name} {number} {entity.name}"
    return f"{above[-1].name} · {entity.name}" if entity.kind == "season" else entity.name


def _proposal(catalogue: TmdbCatalogue, entity: Entity, draw: Draw, summary: str, *items: JsonObject) -> Proposal:
    blank = {"iso_639_1": "", "iso_3166_1": ""}
    data = {
        "entity": entity.kind,
        "id": entity.id,
        "first_item_id": _hex(draw),
        "items": [{**blank, **item} for item in items],
    }
    return Proposal(f"tmdb:{entity.kind}:{entity.id}", _title(catalogue, entity), summary, data)


def _image_added(kind: str, word: str, catalogue: TmdbCatalogue, draw: Draw) -> Proposal | None:
    entity = _pick(catalogue, kind, draw)
    if len(entity.images[image_list(entity, word)]) >= MOST_IMAGES:
        return None
    width, height = draw.random.choice(SIZES[word])
    path = _path(draw.random, "png" if word == "title_logo" else "jpg")
    image = {
        "aspect_ratio": round(width / height, 3),
        "file_path": path,
        "height": height,
        "iso_639_1": None,
        "vote_average": 0.0,
        "vote_count": 0,
        "width": width,
    }
    if kind == "episode" and draw.random.random() < 0.25:
        word = "backdrop"  # as the reference page of the episode changes calls an episode's picture
    item = {"key": "images", "action": "added", "value": {word: {"file_path": path}}, "image": image}
    return _proposal(catalogue, entity, draw, f"{words.IMAGES[word]} added", item)


def _some_image(kind: str, word: str, catalogue: TmdbCatalogue, draw: Draw) -> tuple[Entity, JsonObject] | None:
    """An image that may be changed: any but its entity's first, which is never left without one."""
    entities = catalogue.of_kind(kind) if draw.target is None else [_pick(catalogue, kind, draw)]
    found = [entity for entity in entities if len(entity.images[image_list(entity, word)]) > 1]
    if not found:
        return None
    entity = draw.random.choice(found)
    return entity, draw.random.choice(entity.images[image_list(entity, word)][1:])


def _image_language(kind: str, word: str, catalogue: TmdbCatalogue, draw: Draw) -> Proposal | None:
    found = _some_image(kind, word, catalogue, draw)
    if found is None:
        return None
    entity, image = found
    path, before = image["file_path"], image["iso_639_1"]
    after = draw.random.choice([code for code in LANGUAGES if code != before])
    item = {
        "key": "images",
        "action": "updated",
        "iso_639_1": after,
        "value": {word: {"file_path": path, "iso_639_1": after}},
        "original_value": {word: {"file_path": path, "iso_639_1": before}},
    }
    summary = f"{words.IMAGES[word]} marked {after}"
    return _proposal(catalogue, entity, draw, summary, item)


def _image_deleted(kind: str, word: str, catalogue: TmdbCatalogue, draw: Draw) -> Proposal | None:
    found = _some_image(kind, word, catalogue, draw)
    if found is None:
        return None
    entity, image = found
    item = {
        "key": "images",
        "action": "deleted",
        "iso_639_1": image["iso_639_1"] or "",
        "original_value": {word: {"file_path": image["file_path"]}},
    }
    return _proposal(catalogue, entity, draw, f"{words.IMAGES[word]} deleted", item)


def _field_changed(
    kind: str,
    key: str,
    new: Callable[[Random, Any], Any],
    catalogue: TmdbCatalogue,
    draw: Draw,
) -> Proposal | None:
    entity = _pick(catalogue, kind, draw)
    before = entity.details.get(key)
    item = {"key": key, "action": "updated", "value": new(draw.random, before)}
    if before not in (None, ""):
        item["original_value"] = before
    else:
        item["action"] = "added"
    if isinstance(item["value"], str):
        item |= {"iso_639_1": "en", "iso_3166_1": "US"}
    return _proposal(catalogue, entity, draw, f"{key} {item['action']}", item)


def _unchanged(catalogue: TmdbCatalogue, draw: Draw) -> Proposal | None:
    """An update whose value equals the original, as TMDB reports now and then."""
    entity = _pick(catalogue, "movie", draw)
    value = entity.details["overview"]
    item = {
        "key": "overview",
        "action": "updated",
        "iso_639_1": "en",
        "iso_3166_1": "US",
        "value": value,
        "original_value": value,
    }
    return _proposal(catalogue, entity, draw, "overview saved unchanged", item)


def _video_added(catalogue: TmdbCatalogue, draw: Draw) -> Proposal | None:
    entity = _pick(catalogue, "movie", draw)
    if len(entity.videos) >= MOST_IMAGES:
        return None
    kind = draw.random.choice(words.VIDEOS)
    value = {
        "id": _hex(draw),
        "key": "".join(draw.random.choices(string.ascii_letters + string.digits, k=11)),
        "name": f"{entity.name} | {kind}",
        "site": "YouTube",
        "size": 1080,
        "type": kind,
    }
    item = {"key": "videos", "action": "added", "iso_639_1": "en", "iso_3166_1": "US", "value": value}
    return _proposal(catalogue, entity, draw, f"{kind.lower()} added", item)


def _release_date(catalogue: TmdbCatalogue, draw: Draw) -> Proposal | None:
    entity = _pick(catalogue, "movie", draw)
    country = draw.random.choice(("US", "FR", "DE", "JP", "BR"))
    date = f"{draw.random.randint(1995, 2027)}-{draw.random.randint(1, 12):02d}-{draw.random.randint(1, 28):02d}"
    value = {
        "iso_3166_1": country,
        "iso_639_1": None,
        "release_date": date,
        "certification": "",
        "type": 3,
        "note": "",
    }
    item = {"key": "release_dates", "action": "added", "value": value}
    return _proposal(catalogue, entity, draw, f"release in {country} added", item)


def _credit(kind: str, key: str, catalogue: TmdbCatalogue, draw: Draw) -> Proposal | None:
    entity = _pick(catalogue, kind, draw)
    if len(entity.details.get(key, ())) >= MOST_IMAGES:
        return None
    value: JsonObject = {
        "person_id": draw.random.randint(1, 3_000_000),
        "character": draw.random.choice(words.CHARACTERS),
        "order": draw.random.randint(1, 40),
        "credit_id": _hex(draw),
    }
    if kind == "movie":
        value["cast_id"] = draw.random.randint(1, 90)
    item = {"key": key, "action": "added", "value": value}
    return _proposal(catalogue, entity, draw, f"{key.replace('_', ' ')}: {value['character']}", item)


def _keyword_deleted(catalogue: TmdbCatalogue, draw: Draw) -> Proposal | None:
    entity = _pick(catalogue, "movie", draw)
    number, name = draw.random.choice(words.KEYWORDS)
    value = {"group": "tones", "id": number, "name": name}
    item = {"key": "plot_keywords", "action": "deleted", "original_value": value}
    return _proposal(catalogue, entity, draw, f"keyword {name} deleted", item)


def _movie_created(catalogue: TmdbCatalogue, draw: Draw) -> Proposal | None:
    movies = catalogue.of_kind("movie")
    if len(movies) >= MOST_MOVIES and draw.target is None:
        return None
    number = int(draw.target) if draw.target else draw.random.randint(1_400_000, 9_999_999)
    title = f"{draw.random.choice(words.TITLE_FIRST)} {draw.random.choice(words.TITLE_LAST)}"
    made = movie(number, title, "", words.sentence(draw.random))
    items = (
        {"key": "general", "action": "created"},
        {"key": "title", "action": "added", "iso_639_1": "en", "iso_3166_1": "US", "value": title},
        {"key": "adult", "action": "updated", "value": False},
    )
    data = _proposal(catalogue, made, draw, "", *items).data
    parts = {"details": made.details, "images": made.images, "external_ids": made.external_ids}
    return Proposal(f"tmdb:movie:{number}", title, "created", {**data, "create": parts})


def _movie_removed(catalogue: TmdbCatalogue, draw: Draw) -> Proposal | None:
    entity = _pick(catalogue, "movie", draw)
    proposal = _proposal(catalogue, entity, draw, "", {"key": "general", "action": "deleted"})
    return Proposal(proposal.subject, entity.name, "removed", {**proposal.data, "remove": True})


def _text(random: Random, before: Any) -> str:
    return words.reworded(random, str(before or ""))


EDIT_KINDS = (
    EditKind("movie-poster-added", 8, partial(_image_added, "movie", "poster")),
    EditKind("movie-backdrop-added", 5, partial(_image_added, "movie", "backdrop")),
    EditKind("movie-logo-added", 3, partial(_image_added, "movie", "title_logo")),
    EditKind("movie-poster-language", 5, partial(_image_language, "movie", "poster")),
    EditKind("movie-poster-deleted", 4, partial(_image_deleted, "movie", "poster")),
    EditKind("movie-backdrop-deleted", 3, partial(_image_deleted, "movie", "backdrop")),
    EditKind("movie-logo-deleted", 2, partial(_image_deleted, "movie", "title_logo")),
    EditKind("movie-overview", 5, partial(_field_changed, "movie", "overview", _text)),
    EditKind("movie-tagline", 2, partial(_field_changed, "movie", "tagline", words.tagline)),
    EditKind("movie-runtime", 2, partial(_field_changed, "movie", "runtime", words.minutes)),
    EditKind("movie-unchanged", 1, _unchanged),
    EditKind("movie-video-added", 3, _video_added),
    EditKind("movie-release-date", 3, _release_date),
    EditKind("movie-cast-added", 3, partial(_credit, "movie", "cast")),
    EditKind("movie-keyword-deleted", 1, _keyword_deleted),
    EditKind("movie-created", 1, _movie_created),
    EditKind("movie-removed", 0, _movie_removed),
    EditKind("episode-still-added", 14, partial(_image_added, "episode", "still")),
    EditKind("episode-still-language", 5, partial(_image_language, "episode", "still")),
    EditKind("episode-still-deleted", 4, partial(_image_deleted, "episode", "still")),
    EditKind("episode-overview", 6, partial(_field_changed, "episode", "overview", _text)),
    EditKind("episode-guest-star", 3, partial(_credit, "episode", "guest_stars")),
    EditKind("season-poster-added", 4, partial(_image_added, "season", "poster")),
    EditKind("season-poster-deleted", 2, partial(_image_deleted, "season", "poster")),
    EditKind("season-overview", 2, partial(_field_changed, "season", "overview", _text)),
    EditKind("series-poster-added", 3, partial(_image_added, "series", "poster")),
    EditKind("series-poster-deleted", 2, partial(_image_deleted, "series", "poster")),
    EditKind("series-backdrop-added", 2, partial(_image_added, "series", "backdrop")),
    EditKind("series-overview", 3, partial(_field_changed, "series", "overview", _text)),
    EditKind("person-profile-added", 2, partial(_image_added, "person", "profile")),
    EditKind("person-biography", 2, partial(_field_changed, "person", "biography", _text)),
)

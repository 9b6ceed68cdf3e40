"""What TMDB's sandbox holds at first: the entities of the reference pages, and some company for them.

The reference pages' items keep their ids, order and distances in time; only their day is moved, to just before the
sandbox's first start. The pages name the episode of the backdrops by its id alone: which series it belongs to here is
the sandbox's own idea.
"""

from __future__ import annotations

from datetime import UTC, datetime

from changecast.sandbox.edit import JsonObject
from changecast.sandbox.tmdb import sample_items
from changecast.sandbox.tmdb.catalogue import Entity, TmdbCatalogue, check_image, take_item, tmdb_time
from changecast.sandbox.tmdb.names import MOVIES, PERSONS, SERIES, SeriesSample

MOVIE_SAMPLE = 558449
EPISODE_SAMPLE = 5475279
STILLS_SAMPLE = 63057


def catalogue(epoch: float) -> TmdbCatalogue:
    """The catalogue as of the first start, `epoch` in Unix seconds."""
    found = TmdbCatalogue()
    for number, title, released, imdb_id, runtime, tagline, overview in MOVIES:
        found.add(movie(number, title, released, overview, imdb_id=imdb_id, runtime=runtime, tagline=tagline))
    for sample in SERIES:
        _add_series(found, sample)
    for number, name, born, place, job, biography in PERSONS:
        found.add(person(number, name, born, place, job, biography))

    stills = found.get("episode", STILLS_SAMPLE)
    stills.images["stills"] = [dict(still) for still in sample_items.STILLS]
    stills.details["still_path"] = sample_items.STILLS[0]["file_path"]
    episode = found.get("episode", EPISODE_SAMPLE)
    episode.images["stills"] = [_image(path, 1920, 1080, language) for path, language in sample_items.EPISODE_HAD]
    episode.details["still_path"] = sample_items.EPISODE_HAD[0][0]

    _happened(found, found.get("movie", MOVIE_SAMPLE), sample_items.MOVIE_ITEMS, epoch - 2 * 60)
    _happened(found, episode, sample_items.EPISODE_ITEMS, epoch - 25 * 60)
    _happened(found, stills, sample_items.STILLS_ITEMS, epoch - 55 * 60)
    return found


def _happened(found: TmdbCatalogue, entity: Entity, items: tuple[JsonObject, ...], ends: float) -> None:
    """Take a reference page's items as history, moved so that the last of them happened at `ends`."""
    last = _seconds(items[-1]["time"])
    for item in items:
        time = float(int(ends) - last + _seconds(item["time"]))
        check_image(entity, item)
        take_item(entity, item)
        shown = {key: value for key, value in item.items() if key not in ("key", "image")}
        entity.changes.append((time, item["key"], {**shown, "time": tmdb_time(time)}))
        _point(found, entity, time, item["id"])


def _point(found: TmdbCatalogue, entity: Entity, time: float, item_id: str) -> None:
    """The pointer items above an episode's item; their ids follow the item's, which the reference page gives."""
    below = entity
    for distance, parent in enumerate(found.lineage(entity), start=1):
        number = f"{below.kind}_number"
        item = {
            "id": f"{int(item_id, 16) + distance:024x}",
            "action": "updated",
            "time": tmdb_time(time),
            "iso_639_1": "",
            "iso_3166_1": "",
            "value": {f"{below.kind}_id": below.id, number: below.details[number]},
        }
        parent.changes.append((time, below.kind, item))
        below = parent


def _seconds(time: str) -> int:
    return int(datetime.strptime(time, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC).timestamp())


def _image(path: str, width: int, height: int, language: str | None = None) -> JsonObject:
    return {
        "aspect_ratio": round(width / height, 3),
        "file_path": path,
        "height": height,
        "iso_639_1": language,
        "vote_average": 0.0,
        "vote_count": 0,
        "width": width,
    }


def _own_path(kind: str, number: int, what: str, extension: str = "jpg") -> str:
    """An image path for what the reference pages give none: readable, and the same always."""
    return f"/sandbox-{kind}-{number}-{what}.{extension}"


def movie(
    number: int,
    title: str,
    released: str,
    overview: str,
    *,
    imdb_id: str | None = None,
    runtime: int = 0,
    tagline: str = "",
) -> Entity:
    poster, backdrop = _own_path("movie", number, "poster"), _own_path("movie", number, "backdrop")
    details: JsonObject = {
        "adult": False,
        "backdrop_path": backdrop,
        "belongs_to_collection": None,
        "budget": 0,
        "genres": [{"id": 18, "name": "Drama"}],
        "homepage": "",
        "original_language": "en",
        "original_title": title,
        "overview": overview,
        "popularity": 10.0,
        "poster_path": poster,
        "release_date": released,
        "revenue": 0,
        "runtime": runtime,
        "status": "Released" if released else "In Production",
        "tagline": tagline,
        "title": title,
        "video": False,
        "vote_average": 7.1,
        "vote_count": 1200,
    }
    images = {"posters": [_image(poster, 1000, 1500, "en")], "backdrops": [_image(backdrop, 3840, 2160)]}
    return Entity("movie", number, details, images, {"imdb_id": imdb_id})


def _add_series(found: TmdbCatalogue, sample: SeriesSample) -> None:
    poster = _own_path("series", sample.id, "poster")
    backdrop = _own_path("series", sample.id, "backdrop")
    details: JsonObject = {
        "adult": False,
        "backdrop_path": backdrop,
        "episode_run_time": [],
        "first_air_date": sample.aired,
        "genres": [{"id": 18, "name": "Drama"}],
        "homepage": "",
        "in_production": sample.status != "Ended",
        "languages": ["en"],
        "name": sample.name,
        "networks": [{"id": 1, "name": sample.network, "origin_country": "US"}],
        "origin_country": ["US"],
        "original_language": "en",
        "original_name": sample.name,
        "overview": sample.overview,
        "popularity": 80.0,
        "poster_path": poster,
        "status": "Ended" if sample.status == "Ended" else "Returning Series",
        "tagline": "",
        "type": "Scripted",
        "vote_average": 8.4,
        "vote_count": 9000,
    }
    images = {"posters": [_image(poster, 1000, 1500, "en")], "backdrops": [_image(backdrop, 3840, 2160)]}
    external_ids = {"imdb_id": sample.imdb_id, "tvdb_id": sample.tvdb_id}
    found.add(Entity("series", sample.id, details, images, external_ids))
    for season_id, number, first_episode, names in sample.seasons:
        _add_season(found, sample, season_id, number, first_episode, names)


def _add_season(
    found: TmdbCatalogue, sample: SeriesSample, season_id: int, number: int, first: int, names: tuple[str, ...]
) -> None:
    poster = _own_path("season", season_id, "poster")
    details = {
        "air_date": sample.aired,
        "name": f"Season {number}",
        "overview": "",
        "poster_path": poster,
        "season_number": number,
        "vote_average": 8.1,
    }
    images = {"posters": [_image(poster, 1000, 1500, "en")]}
    found.add(Entity("season", season_id, details, images, {}, parent=sample.id))
    for place, name in enumerate(names, start=1):
        still = _own_path("episode", first + place - 1, "still")
        episode = {
            "air_date": sample.aired,
            "crew": [],
            "episode_number": place,
            "episode_type": "finale" if place == len(names) else "standard",
            "guest_stars": [],
            "name": name,
            "overview": f"{name}: episode {place} of season {number} of {sample.name}.",
            "production_code": "",
            "runtime": 55,
            "season_number": number,
            "still_path": still,
            "vote_average": 8.0,
            "vote_count": 310,
        }
        pictures = {"stills": [_image(still, 1920, 1080)]}
        found.add(Entity("episode", first + place - 1, episode, pictures, {}, parent=season_id))


def person(number: int, name: str, born: str, place: str, job: str, biography: str) -> Entity:
    profile = _own_path("person", number, "profile")
    details: JsonObject = {
        "adult": False,
        "also_known_as": [],
        "biography": biography,
        "birthday": born,
        "deathday": None,
        "gender": 0,
        "homepage": None,
        "known_for_department": job,
        "name": name,
        "place_of_birth": place,
        "popularity": 20.0,
        "profile_path": profile,
    }
    return Entity("person", number, details, {"profiles": [_image(profile, 1000, 1500)]}, {"imdb_id": None})

"""TMDB's answers, made from the catalogue's entities."""

from __future__ import annotations

from typing import Any

from changecast.sandbox.edit import JsonObject
from changecast.sandbox.tmdb.catalogue import Entity, TmdbCatalogue

_SIZES = {
    "backdrop_sizes": ["w300", "w780", "w1280", "original"],
    "logo_sizes": ["w45", "w92", "w154", "w185", "w300", "w500", "original"],
    "poster_sizes": ["w92", "w154", "w185", "w342", "w500", "w780", "original"],
    "profile_sizes": ["w45", "w185", "h632", "original"],
    "still_sizes": ["w92", "w185", "w300", "original"],
}

_CHANGE_KEYS = [
    "adult",
    "air_date",
    "also_known_as",
    "alternative_titles",
    "biography",
    "birthday",
    "budget",
    "cast",
    "certifications",
    "character_names",
    "created_by",
    "crew",
    "deathday",
    "episode",
    "episode_number",
    "episode_run_time",
    "freebase_id",
    "freebase_mid",
    "general",
    "genres",
    "guest_stars",
    "homepage",
    "images",
    "imdb_id",
    "languages",
    "name",
    "network",
    "origin_country",
    "original_name",
    "original_title",
    "overview",
    "parts",
    "place_of_birth",
    "plot_keywords",
    "production_code",
    "production_companies",
    "production_countries",
    "releases",
    "revenue",
    "runtime",
    "season",
    "season_number",
    "season_regular",
    "spoken_languages",
    "status",
    "tagline",
    "title",
    "translations",
    "tvdb_id",
    "tvrage_id",
    "type",
    "video",
    "videos",
]


def configuration(base: str) -> JsonObject:
    """`base`: the sandbox's address, under which its pictures are too."""
    address = f"{base}/images/tmdb/"
    return {
        "images": {"base_url": address, "secure_base_url": address, **_SIZES},
        "change_keys": _CHANGE_KEYS,
    }


def details(catalogue: TmdbCatalogue, entity: Entity) -> JsonObject:
    document = {"id": entity.id, **entity.details}
    if entity.kind in ("movie", "person"):
        document["imdb_id"] = entity.external_ids.get("imdb_id")
    elif entity.kind == "series":
        document |= _seasons(catalogue, entity)
    elif entity.kind == "season":
        document["episodes"] = [
            {"id": episode.id, "show_id": entity.parent, **episode.details} for episode in catalogue.children(entity)
        ]
    return document


def _seasons(catalogue: TmdbCatalogue, series: Entity) -> JsonObject:
    seasons = catalogue.children(series)
    counts = [len(catalogue.children(season)) for season in seasons]
    keys = ("air_date", "name", "overview", "poster_path", "season_number", "vote_average")
    return {
        "number_of_seasons": sum(1 for season in seasons if season.details["season_number"] > 0),
        "number_of_episodes": sum(counts),
        "seasons": [
            {"id": season.id, "episode_count": count, **{key: season.details.get(key) for key in keys}}
            for season, count in zip(seasons, counts, strict=True)
        ],
    }


def external_ids(entity: Entity) -> JsonObject:
    empty = {"imdb_id": None, "wikidata_id": None, "facebook_id": None, "instagram_id": None, "twitter_id": None}
    if entity.kind in ("series", "season", "episode"):
        empty |= {"tvdb_id": None, "tvrage_id": None}
    return {**empty, **entity.external_ids}


def images(entity: Entity, language: str | None, also: frozenset[str]) -> dict[str, list[dict[str, Any]]]:
    """The image lists; with a `language`, only its images and those of the languages that `also` names."""

    def shown(image: JsonObject) -> bool:
        code = image["iso_639_1"]
        return language is None or code == language or (code or "null") in also

    return {name: [image for image in found if shown(image)] for name, found in entity.images.items()}

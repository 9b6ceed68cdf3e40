"""A movie, a series with what is below it, and a person, with their pictures."""

from __future__ import annotations

from typing import Any

from producers.interface import Fetched
from producers.tmdb.place import episode_entity
from schemas.event import Entity
from tests.producers.tmdb.catalogue import Reader

SIZES = {
    "poster_sizes": ["w92", "w185", "w342", "w500", "original"],
    "still_sizes": ["w92", "w185", "w300", "original"],
    "backdrop_sizes": ["w300", "w780", "w1280", "original"],
    "logo_sizes": ["w45", "w300", "w500", "original"],
    "profile_sizes": ["w45", "w185", "h632", "original"],
}
EPISODE = episode_entity("1399", 3624, 1, 63057, 2)


def picture(path: str, **more: Any) -> dict[str, Any]:
    shape = {"file_path": path, "width": 1920, "height": 1080, "aspect_ratio": 1.778}
    return {**shape, "iso_639_1": None, "vote_average": 2.5, "vote_count": 4, **more}


def furnish(reader: Reader) -> None:
    host = {"base_url": "http://pictures.example/t/p/", "secure_base_url": "https://pictures.example/t/p/", **SIZES}
    season = {
        "id": 3624,
        "name": "Season 1",
        "season_number": 1,
        "poster_path": "/season.jpg",
        "episodes": [{"id": 63056, "episode_number": 1}, {"id": 63057, "episode_number": 2}],
    }
    reader.catalogue.documents |= {
        "configuration": {"images": host},
        "movie/558449": {"id": 558449, "title": "Gladiator II", "poster_path": "/poster.jpg", "imdb_id": "tt9218128"},
        "movie/558449/images": {
            "id": 558449,
            "posters": [picture("/poster.jpg", iso_639_1="en")],
            "backdrops": [picture("/backdrop.jpg")],
            "logos": [picture("/logo.svg")],
        },
        "tv/1399": {
            "id": 1399,
            "name": "Game of Thrones",
            "poster_path": "/series.jpg",
            "seasons": [{"id": 3624, "season_number": 1}],
        },
        "tv/1399/images": {"id": 1399, "posters": [picture("/series.jpg")], "backdrops": [], "logos": []},
        "tv/1399/season/1": season,
        "tv/1399/season/1/images": {"id": 3624, "posters": [picture("/season.jpg")]},
        "tv/1399/season/1/episode/2": {
            "id": 63057,
            "name": "The Kingsroad",
            "season_number": 1,
            "episode_number": 2,
            "still_path": "/still.jpg",
            "external_ids": {"imdb_id": "tt1668746", "tvdb_id": 3436411},
        },
        "tv/1399/season/1/episode/2/images": {"id": 63057, "stills": [picture("/still.jpg"), picture("/wide.jpg", width=3840)]},
        "person/3084": {"id": 3084, "name": "Marlon Brando", "profile_path": "/profile.jpg"},
        "person/3084/images": {"id": 3084, "profiles": [picture("/profile.jpg")]},
    }


async def fetched(reader: Reader, subject: Entity) -> Fetched:
    answer = await reader.provider.fetch(subject)
    assert isinstance(answer, Fetched)
    return answer

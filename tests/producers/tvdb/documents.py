"""A series in TheTVDB's shapes, with values of our own."""

from __future__ import annotations

from typing import Any

from producers.tvdb.models import Record

SERIES: dict[str, Any] = {
    "id": 501,
    "seriesId": "",
    "seriesName": "Tideland",
    "aliases": ["Tide Land"],
    "season": "2",
    "poster": "posters/501-2.jpg",
    "banner": "graphical/501-g.jpg",
    "fanart": "",
    "status": "Continuing",
    "firstAired": "",
    "network": "North One",
    "networkId": "31",
    "runtime": "45",
    "language": "en",
    "genre": ["Drama"],
    "overview": "A harbour town.",
    "lastUpdated": 1930000000,
    "airsDayOfWeek": "Friday",
    "airsTime": "8:00 PM",
    "rating": "TV-14",
    "imdbId": "tt0000501",
    "zap2itId": "",
    "added": "2030-01-01 00:00:00",
    "addedBy": 17,
    "siteRating": 8.2,
    "siteRatingCount": 12,
    "slug": "tideland",
}
GERMAN = {**SERIES, "language": "de", "seriesName": "Gezeitenland", "overview": None}


def episode(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "id": 9000 + number,
        "airedSeason": 1,
        "airedEpisodeNumber": number,
        "episodeName": f"Part {number}",
        "firstAired": "2031-01-05",
        "guestStars": ["A. Body"],
        "overview": None,
        "language": {"episodeName": "en", "overview": ""},
        "productionCode": "",
        "lastUpdated": 1930000000 + number,
        "lastUpdatedBy": 1,
        "filename": f"episodes/501/{9000 + number}.jpg",
        "seriesId": 501,
        "thumbAdded": "2031-01-01 00:00:00",
        "thumbAuthor": 1,
        "thumbWidth": "640",
        "thumbHeight": "360",
        "siteRating": 7,
        "siteRatingCount": 3,
        **changed,
    }


def actor(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "id": 70 + number,
        "seriesId": 501,
        "name": f"Actor {number}",
        "role": "Harbour master",
        "sortOrder": number,
        "image": f"actors/{number}.jpg",
        "imageAuthor": 5,
        "imageAdded": "2031-01-01 00:00:00",
        "lastUpdated": "2031-01-01 00:00:00",
        **changed,
    }


def picture(number: int, kind: str = "poster", **changed: Any) -> dict[str, Any]:
    folder = {"poster": "posters", "fanart": "fanart/original"}.get(kind, kind)
    return {
        "id": number,
        "keyType": kind,
        "subKey": "",
        "fileName": f"{folder}/501-{number}.jpg",
        "languageId": 7,
        "language": "en",
        "resolution": "680x1000",
        "ratingsInfo": {"average": 8.5, "count": 2},
        "thumbnail": f"{folder}/501-{number}_t.jpg",
        "seriesLastUpdated": 1930000000,
        **changed,
    }


def record(attributes: dict[str, Any]) -> Record:
    return Record(str(attributes["id"]), attributes)

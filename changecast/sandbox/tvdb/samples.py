"""What TheTVDB's sandbox holds at first. The reference page gives names of fields and no values: the series' ids, names
and kinds of images follow what client authors have recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from changecast.sandbox.edit import JsonObject
from changecast.sandbox.tvdb.catalogue import LANGUAGES, Series, TvdbCatalogue
from changecast.sandbox.tvdb.names import SERIES, Sample

SCRUBS = 76156

RESOLUTIONS = {
    "fanart": "1920x1080",
    "poster": "680x1000",
    "season": "680x1000",
    "seasonwide": "758x140",
    "series": "758x140",
}

_LANGUAGE_IDS = {abbreviation: number for number, abbreviation, *_ in LANGUAGES}

_FOLDERS = {
    "fanart": "fanart/original",
    "poster": "posters",
    "season": "seasons",
    "seasonwide": "seasonswide",
    "series": "graphical",
}


def catalogue(epoch: float) -> TvdbCatalogue:
    """The catalogue as of the first start, `epoch` in Unix seconds."""
    found = TvdbCatalogue()
    for sample in SERIES:
        found.add(_series(sample, int(epoch)))
    return found


def _series(sample: Sample, epoch: int) -> Series:
    number = sample.id
    before = epoch - 60 * sample.updated
    details: JsonObject = {
        "seriesId": str(number // 21),
        "seriesName": sample.name,
        "aliases": [],
        "season": str(sample.episodes[-1][0]),
        "poster": f"posters/{number}-1.jpg",
        "banner": f"graphical/{number}-1.jpg",
        "fanart": f"fanart/original/{number}-1.jpg",
        "status": sample.status,
        "firstAired": sample.aired,
        "network": sample.network,
        "networkId": "148",
        "runtime": "45",
        "genre": ["Drama"],
        "lastUpdated": before,
        "airsDayOfWeek": "",
        "airsTime": "",
        "rating": "TV-PG",
        "imdbId": sample.imdb_id,
        "zap2itId": "",
        "added": "2008-02-04 00:00:00",
        "addedBy": 1,
        "siteRating": 9,
        "siteRatingCount": 8151,
        "slug": sample.slug,
    }
    texts = {language: {"overview": overview} for language, overview in sample.overviews.items()}
    series = Series(number, details, texts, images=_images(number), actors=_actors(number))
    absolute = 0
    for season, first, names in sample.episodes:
        for place, name in enumerate(names, start=1):
            absolute += 1
            made = episode(series, first + place - 1, season, place, absolute, name)
            series.episodes[made["id"]] = {**made, "lastUpdated": before - 3600}
    return series


def episode(series: Series, episode_id: int, season: int, place: int, absolute: int | None, name: str) -> JsonObject:
    """An episode without its `lastUpdated`. Some fields are empty in ways that the real API shows."""
    aired = datetime.fromisoformat(series.details["firstAired"]).replace(tzinfo=UTC)
    date = (aired + timedelta(weeks=(absolute or place) - 1)).date().isoformat()
    return {
        "id": episode_id,
        "airedSeason": season,
        "airedSeasonID": series.id * 10 + season,
        "airedEpisodeNumber": place,
        "firstAired": date if absolute else "",
        "guestStars": [],
        "directors": ["Adam Bernstein"] if place == 1 else [],
        "writers": [],
        "productionCode": "",
        "showUrl": "",
        "dvdDiscid": "",
        "dvdSeason": season,
        "dvdEpisodeNumber": place,
        "dvdChapter": None,
        "absoluteNumber": absolute,
        "filename": f"episodes/{series.id}/{episode_id}.jpg",
        "lastUpdatedBy": 1,
        "airsAfterSeason": None,
        "airsBeforeSeason": None,
        "airsBeforeEpisode": None,
        "imdbId": "",
        "contentRating": "TV-PG",
        "thumbAuthor": 1,
        "thumbAdded": "2019-11-13 12:46:22",
        "thumbWidth": "640",
        "thumbHeight": "360",
        "siteRating": 7.6 if place % 2 else 8,
        "siteRatingCount": 100,
        "isMovie": 0,
        "texts": {"en": {"episodeName": name, "overview": f"{name}, of {series.name}." if place % 5 else None}},
    }


def image(image_id: int, kind: str, sub_key: str, name: str, language: str = "en") -> JsonObject:
    path = f"{_FOLDERS[kind]}/{name}"
    return {
        "id": image_id,
        "keyType": kind,
        "subKey": sub_key,
        "fileName": f"{path}.jpg",
        "languageId": _LANGUAGE_IDS.get(language, 0),
        "language": language,
        "resolution": RESOLUTIONS[kind],
        "ratingsInfo": {"average": 0, "count": 0},
        "thumbnail": f"{path}_t.jpg",
    }


def _images(number: int) -> list[JsonObject]:
    """Two fan arts, two posters, a banner, and a season's two kinds."""
    first = number * 100
    named = (
        ("fanart", "graphical", f"{number}-1"),
        ("fanart", "graphical", f"{number}-2"),
        ("poster", "", f"{number}-1"),
        ("poster", "", f"{number}-2"),
        ("series", "graphical", f"{number}-1"),
        ("season", "1", f"{number}-1"),
        ("seasonwide", "1", f"{number}-1"),
    )
    return [image(first + place, kind, sub_key, name) for place, (kind, sub_key, name) in enumerate(named, start=1)]


def _actors(number: int) -> list[JsonObject]:
    pairs = (("Zach Braff", 'Dr. John "J.D." Dorian'), ("John C. McGinley", "Dr. Perry Cox"))
    if number != SCRUBS:
        return []
    return [actor(number, 64753158 + place, name, role, place) for place, (name, role) in enumerate(pairs, 1)]


def actor(series_id: int, actor_id: int, name: str, role: str, order: int) -> JsonObject:
    return {
        "id": actor_id,
        "seriesId": series_id,
        "name": name,
        "role": role,
        "sortOrder": order,
        "image": f"actors/{actor_id}.jpg",
        "imageAuthor": 516,
        "imageAdded": "2008-07-27 18:26:36",
        "lastUpdated": "2008-07-27 18:26:36",
    }

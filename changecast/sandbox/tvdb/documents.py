"""TheTVDB's answers, made from the catalogue's series. Field names as documented, and as recorded where that differs."""

from __future__ import annotations

from typing import Any

from changecast.sandbox.edit import JsonObject
from changecast.sandbox.tvdb.catalogue import IMAGE_KINDS, Series

FILTER_KEYS = [
    "added",
    "airsDayOfWeek",
    "airsTime",
    "aliases",
    "banner",
    "firstAired",
    "genre",
    "id",
    "imdbId",
    "lastUpdated",
    "network",
    "networkId",
    "overview",
    "rating",
    "runtime",
    "seriesId",
    "seriesName",
    "siteRating",
    "siteRatingCount",
    "slug",
    "status",
    "zap2itId",
]

EPISODE_QUERY = ("absoluteNumber", "airedSeason", "airedEpisode", "dvdSeason", "dvdEpisode", "imdbId")
_FIELD_OF_QUERY = {"airedEpisode": "airedEpisodeNumber", "dvdEpisode": "dvdEpisodeNumber"}

NOT_TRANSLATED = "Incomplete or no translation for the given language"


def series_document(series: Series, language: str) -> JsonObject:
    """The series in this language; texts that it lacks are null, as TheTVDB leaves them."""
    overview = series.texts.get(language, {}).get("overview")
    return {"id": series.id, **series.details, "language": language, "overview": overview}


def translated(texts: dict[str, JsonObject], language: str) -> bool:
    return language in texts


def episode_document(series: Series, episode: JsonObject, language: str) -> JsonObject:
    texts = episode["texts"].get(language, {})
    known = {key: value for key, value in episode.items() if key != "texts"}
    return {
        **known,
        "seriesId": series.id,
        "episodeName": texts.get("episodeName"),
        "overview": texts.get("overview"),
        "language": {
            "episodeName": language if texts.get("episodeName") else "",
            "overview": language if texts.get("overview") else "",
        },
    }


def episode_matches(episode: JsonObject, query: dict[str, str]) -> bool:
    return all(str(episode.get(_FIELD_OF_QUERY.get(key, key))) == value for key, value in query.items())


def episode_summary(series: Series) -> JsonObject:
    seasons = sorted({episode["airedSeason"] for episode in series.episodes.values()})
    on_disc = [e for e in series.episodes.values() if e["dvdSeason"] is not None]
    return {
        "airedSeasons": [str(season) for season in seasons],
        "airedEpisodes": str(len(series.episodes)),
        "dvdSeasons": [str(season) for season in sorted({e["dvdSeason"] for e in on_disc})],
        "dvdEpisodes": str(len(on_disc)),
    }


def image_document(series: Series, image: JsonObject, *, old: bool = False) -> JsonObject:
    """`old`: as the API's early pictures are, without the language's abbreviation and with a thumbnail that is not served."""
    document = {**image, "seriesLastUpdated": series.last_updated}
    return {**document, "language": None, "thumbnail": f"_cache/{image['fileName']}"} if old else document


def images_in(series: Series, language: str) -> list[JsonObject]:
    return [image for image in series.images if image["language"] == language]


def image_counts(images: list[JsonObject]) -> dict[str, int]:
    return {kind: sum(1 for image in images if image["keyType"] == kind) for kind in IMAGE_KINDS}


def image_query_params(images: list[JsonObject]) -> list[dict[str, Any]]:
    """One record for each kind that there is an image of, with the values that bring results."""
    records = []
    for kind in IMAGE_KINDS:
        of_kind = [image for image in images if image["keyType"] == kind]
        if of_kind:
            records.append(
                {
                    "keyType": kind,
                    "languageId": str(of_kind[0]["languageId"]),
                    "resolution": sorted({image["resolution"] for image in of_kind}),
                    "subKey": sorted({image["subKey"] for image in of_kind}),
                }
            )
    return records

"""TheTVDB's state: series with their texts by language, episodes, images and actors.

The data of an edit: `{"series", "touched"?, "set"?, "texts"?, "episodes"?, "images_added"?, "images_removed"?,
"actors_added"?, "create"?, "remove"?}`. An edit moves the series' `lastUpdated` unless `touched` is false: content has
been seen to change without it, and it to move without content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from changecast.sandbox.edit import Edit, EditError, JsonObject

LANGUAGES = (
    (7, "en", "English", "English"),
    (17, "fr", "Français", "French"),
    (14, "de", "Deutsch", "German"),
    (16, "es", "Español", "Spanish"),
    (15, "it", "Italiano", "Italian"),
    (25, "ja", "日本語", "Japanese"),
    (26, "pt", "Português", "Portuguese"),
    (8, "sv", "Svenska", "Swedish"),
)
"""Id, abbreviation, own name, English name."""

IMAGE_KINDS = ("fanart", "poster", "season", "seasonwide", "series")


@dataclass
class Series:
    """`texts`: `overview` by language. `episodes`: by id, each with `texts` by language of its own."""

    id: int
    details: JsonObject
    texts: dict[str, JsonObject]
    episodes: dict[int, JsonObject] = field(default_factory=dict)
    images: list[JsonObject] = field(default_factory=list)
    actors: list[JsonObject] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.details["seriesName"])

    @property
    def last_updated(self) -> int:
        return int(self.details["lastUpdated"])

    def in_order(self) -> list[JsonObject]:
        """The episodes by season and number."""
        return sorted(self.episodes.values(), key=lambda e: (e["airedSeason"], e["airedEpisodeNumber"]))


class TvdbCatalogue:
    def __init__(self) -> None:
        self._series: dict[int, Series] = {}

    def add(self, series: Series) -> Series:
        self._series[series.id] = series
        return series

    def find(self, series_id: int) -> Series | None:
        return self._series.get(series_id)

    def get(self, series_id: int) -> Series:
        series = self._series.get(series_id)
        if series is None:
            raise EditError(f"the sandbox's TheTVDB has no series {series_id}")
        return series

    def every(self) -> list[Series]:
        return list(self._series.values())

    def episode(self, episode_id: int) -> tuple[Series, JsonObject] | None:
        for series in self._series.values():
            if episode_id in series.episodes:
                return series, series.episodes[episode_id]
        return None

    def updated(self, start: int, end: int) -> list[Series]:
        """Series whose `lastUpdated` lies in [start, end], the one updated first comes first."""
        found = [series for series in self._series.values() if start <= series.last_updated <= end]
        return sorted(found, key=lambda series: series.last_updated)

    def apply(self, edit: Edit) -> None:
        data = edit.data
        if "create" in data:
            self.add(Series(id=data["series"], **data["create"]))
        series = self.get(data["series"])
        for change in data.get("episodes", ()):
            if "create" not in change and change["id"] not in series.episodes:
                raise EditError(f"series {series.id} has no episode {change['id']}")
        if data.get("remove"):
            del self._series[series.id]
            return
        now = int(edit.time)
        series.details |= data.get("set", {})
        for language, texts in data.get("texts", {}).items():
            series.texts.setdefault(language, {}).update(texts)
        for change in data.get("episodes", ()):
            _change_episode(series, change, now)
        gone = set(data.get("images_removed", ()))
        series.images = [image for image in series.images if image["id"] not in gone]
        series.images += [dict(image) for image in data.get("images_added", ())]
        series.actors += [dict(actor) for actor in data.get("actors_added", ())]
        if data.get("touched", True):
            series.details["lastUpdated"] = now

    def prune(self, now: float) -> None:
        """Nothing to forget: TheTVDB tells only the latest time of a series."""

    def dump(self) -> JsonObject:
        return {"series": [{**vars(series), "episodes": list(series.episodes.values())} for series in self._series.values()]}

    def restore(self, state: JsonObject) -> None:
        self._series.clear()
        for document in state["series"]:
            episodes = {episode["id"]: episode for episode in document["episodes"]}
            self.add(Series(**{**document, "episodes": episodes}))

    def size(self) -> Mapping[str, int]:
        return {
            "series": len(self._series),
            "episode": sum(len(series.episodes) for series in self._series.values()),
            "image": sum(len(series.images) for series in self._series.values()),
        }


def _change_episode(series: Series, change: JsonObject, now: int) -> None:
    if "create" in change:
        series.episodes[change["id"]] = {**change["create"], "lastUpdated": now}
        return
    episode = series.episodes[change["id"]]
    episode |= change.get("set", {})
    for language, texts in change.get("texts", {}).items():
        episode["texts"].setdefault(language, {}).update(texts)
    episode["lastUpdated"] = now

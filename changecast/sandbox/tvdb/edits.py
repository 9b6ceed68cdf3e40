"""The edits that people make at TheTVDB: its feed only ever says that the series was updated."""

from __future__ import annotations

from functools import partial
from typing import Any

from changecast.sandbox import words
from changecast.sandbox.edit import Draw, EditKind, Proposal
from changecast.sandbox.tvdb import samples
from changecast.sandbox.tvdb.catalogue import Series, TvdbCatalogue

MOST_EPISODES = 250
MOST_IMAGES = 60

_STATUSES = ("Continuing", "Ended", "Upcoming")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "")


def _pick(catalogue: TvdbCatalogue, draw: Draw) -> Series:
    return catalogue.get(int(draw.target)) if draw.target is not None else draw.random.choice(catalogue.every())


def _proposal(series: Series, summary: str, **data: Any) -> Proposal:
    return Proposal(f"tvdb:series:{series.id}", series.name, summary, {"series": series.id, **data})


def _overview(touched: bool, catalogue: TvdbCatalogue, draw: Draw) -> Proposal | None:
    series = _pick(catalogue, draw)
    text = words.reworded(draw.random, str(series.texts["en"].get("overview") or ""))
    summary = "overview rewritten" if touched else "overview rewritten, lastUpdated left as it was"
    return _proposal(series, summary, touched=touched, texts={"en": {"overview": text}})


def _field(
    name: str,
    choices: tuple[str, ...],
    catalogue: TvdbCatalogue,
    draw: Draw,
) -> Proposal | None:
    series = _pick(catalogue, draw)
    value = draw.random.choice([choice for choice in choices if choice != series.details[name]])
    return _proposal(series, f"{name}: {value or 'none'}", set={name: value})


def _touched(catalogue: TvdbCatalogue, draw: Draw) -> Proposal | None:
    return _proposal(_pick(catalogue, draw), "lastUpdated moved, nothing else did")


def _image_added(kind: str, catalogue: TvdbCatalogue, draw: Draw) -> Proposal | None:
    series = _pick(catalogue, draw)
    if len(series.images) >= MOST_IMAGES:
        return None
    sub_key = {"fanart": "graphical", "series": "graphical", "poster": ""}.get(kind, str(draw.random.randint(1, 3)))
    name = f"{draw.random.getrandbits(52):013x}"
    number = int(draw.time) * 100_000 + draw.random.randint(0, 99_999)
    image = samples.image(number, kind, sub_key, name)
    return _proposal(series, f"{kind} image added", images_added=[image])


def _image_removed(catalogue: TvdbCatalogue, draw: Draw) -> Proposal | None:
    series = _pick(catalogue, draw)
    added = series.images[7:]
    if not added:
        return None
    image = draw.random.choice(added)
    return _proposal(series, f"{image['keyType']} image removed", images_removed=[image["id"]])


def _episode_changed(catalogue: TvdbCatalogue, draw: Draw) -> Proposal | None:
    series = _pick(catalogue, draw)
    episode = draw.random.choice(series.in_order())
    before = episode["texts"].get("en", {}).get("overview")
    change = {
        "id": episode["id"],
        "texts": {"en": {"overview": words.reworded(draw.random, str(before or ""))}},
    }
    number = f"{episode['airedSeason']}×{episode['airedEpisodeNumber']:02d}"
    return _proposal(series, f"episode {number} rewritten", episodes=[change])


def _episode_added(catalogue: TvdbCatalogue, draw: Draw) -> Proposal | None:
    series = _pick(catalogue, draw)
    if len(series.episodes) >= MOST_EPISODES:
        return None
    last = series.in_order()[-1]
    season, place = last["airedSeason"], last["airedEpisodeNumber"] + 1
    if place > 24:
        season, place = season + 1, 1
    name = f"{draw.random.choice(words.TITLE_FIRST)} {draw.random.choice(words.TITLE_LAST)}"
    highest = max(max(other.episodes, default=0) for other in catalogue.every())
    episode = samples.episode(series, highest + draw.random.randint(1, 9), season, place, None, name)
    return _proposal(
        series,
        f"episode {season}×{place:02d} {name} added",
        episodes=[{"id": episode["id"], "create": episode}],
    )


def _actor_added(catalogue: TvdbCatalogue, draw: Draw) -> Proposal | None:
    series = _pick(catalogue, draw)
    if len(series.actors) >= MOST_IMAGES:
        return None
    role = draw.random.choice(words.CHARACTERS)
    made = samples.actor(series.id, int(draw.time) * 100 + draw.random.randint(0, 99), "Alex Example", role, 9)
    return _proposal(series, f"actor added: {role}", actors_added=[made])


def _removed(catalogue: TvdbCatalogue, draw: Draw) -> Proposal | None:
    return _proposal(_pick(catalogue, draw), "removed", remove=True)


EDIT_KINDS = (
    EditKind("overview", 8, partial(_overview, True)),
    EditKind("overview-untouched", 1, partial(_overview, False)),
    EditKind("status", 5, partial(_field, "status", _STATUSES)),
    EditKind("airs-day", 4, partial(_field, "airsDayOfWeek", _DAYS)),
    EditKind("touched", 3, _touched),
    EditKind("fanart-added", 6, partial(_image_added, "fanart")),
    EditKind("poster-added", 8, partial(_image_added, "poster")),
    EditKind("season-added", 4, partial(_image_added, "season")),
    EditKind("series-added", 3, partial(_image_added, "series")),
    EditKind("image-removed", 4, _image_removed),
    EditKind("episode-changed", 12, _episode_changed),
    EditKind("episode-added", 5, _episode_added),
    EditKind("actor-added", 2, _actor_added),
    EditKind("removed", 0, _removed),
)

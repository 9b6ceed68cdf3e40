"""What PBS's sandbox holds at first: the burst of the changelog's reference page, and the shows around it.

The page gives ids, types and times; these stay, but that the day is moved to just before the sandbox's first start.
Which show they belong to, and every text, is the sandbox's own idea. As in the page's own example, the changelog also
names a show that the key may not read.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from changecast.sandbox.edit import JsonObject
from changecast.sandbox.pbs.catalogue import Entity, Entry, PbsCatalogue, pbs_time

SHOW = "b09c09b2-4f3e-4eb4-8f90-04c946286b9f"
SEASON = "330a3ae9-9c20-4859-b453-bd871ea4c0c0"
EPISODE = "cced1427-4095-453a-ac1e-fc04df10ab4a"
ASSET = "157a4172-4bd6-4cd0-98ea-148a2bc840e4"
_EPISODE_B = "000a3ef1-e895-4f1e-b75a-4ac30f9dc55e"
_EPISODE_C = "a3761919-bb22-423d-96fc-6fdd2624c11e"
_EPISODE_D = "71a2079f-def1-4c9a-98fe-b46df17d5742"
_ASSET_B = "17a1ca79-eef1-48d8-b7f0-15919ccc2728"
_ASSET_OF_SHOW = "83c9bc2d-2ec7-4ad5-8cc3-4eb31d6aa5e8"


def own_id(name: str) -> str:
    """The id of an entity that no reference page names: the same always."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"changecast-sandbox/pbs/{name}"))


FORBIDDEN_SHOW = own_id("downton-abbey")
FORBIDDEN_EPISODE = own_id("downton-abbey/1/1")
FORBIDDEN_ASSET = own_id("asset/downton-abbey/1/1")

BURST = (
    ("episode", EPISODE, "18:35:03.098681"),
    ("asset", ASSET, "18:35:03.162612"),
    ("episode", EPISODE, "18:35:03.166374"),
    ("asset", ASSET, "18:35:03.223926"),
    ("episode", EPISODE, "18:35:03.231938"),
    ("episode", _EPISODE_D, "18:35:05.175160"),
    ("season", SEASON, "18:35:05.186137"),
    ("episode", _EPISODE_C, "18:35:07.187839"),
    ("season", SEASON, "18:35:07.195360"),
    ("episode", _EPISODE_B, "18:35:18.594571"),
    ("season", SEASON, "18:35:18.597937"),
    ("asset", _ASSET_B, "18:35:18.836108"),
    ("episode", _EPISODE_B, "18:35:18.852260"),
    ("asset", ASSET, "18:35:21.242040"),
    ("episode", EPISODE, "18:35:21.255922"),
    ("episode", _EPISODE_B, "18:35:33.948864"),
    ("season", SEASON, "18:35:33.955141"),
    ("asset", ASSET, "18:35:34.930026"),
    ("episode", EPISODE, "18:35:34.935594"),
    ("asset", _ASSET_OF_SHOW, "18:35:57.985864"),
    ("show", SHOW, "18:35:58.013829"),
    ("asset", ASSET, "18:36:02.772719"),
    ("episode", EPISODE, "18:36:02.779843"),
    ("asset", ASSET, "18:36:20.650871"),
    ("episode", EPISODE, "18:36:20.664330"),
)
"""The reference page's entries, oldest first, all of them updates."""

BURST_ENDED = 40 * 60
"""Seconds before the first start at which the burst's last entry lies."""


def catalogue(epoch: float) -> PbsCatalogue:
    """The catalogue as of the first start, `epoch` in Unix seconds."""
    found = PbsCatalogue()
    before = epoch - 30 * 24 * 3600
    nature = found.add(franchise("nature", "Nature", before))
    masterpiece = found.add(franchise("masterpiece", "Masterpiece", before))
    found.add(show(SHOW, "nature", "Nature", nature, before))
    found.add(season(SEASON, SHOW, 36, before))
    names = ("Naledi: One Little Elephant", "Fox Tales", "H is for Hawk: A New Chapter", "The Cheetah Children")
    for ordinal, (number, name) in enumerate(zip((EPISODE, _EPISODE_B, _EPISODE_C, _EPISODE_D), names, strict=True), 1):
        found.add(episode(number, name, SEASON, ordinal, before))
    found.add(asset(ASSET, names[0], EPISODE, before, full=True))
    found.add(asset(_ASSET_B, "A Fox in the Garden", _EPISODE_B, before))
    found.add(asset(_ASSET_OF_SHOW, "Coming Soon on Nature", SHOW, before))
    found.add(special(own_id("nature/special"), "Nature: A Year Outdoors", SHOW, before))

    creatures = own_id("all-creatures")
    found.add(show(creatures, "all-creatures", "All Creatures Great and Small", masterpiece, before))
    _fill(found, creatures, "all-creatures", ("You've Got to Dream", "Another Farnon?", "Andante"), before)
    closed = found.add(show(FORBIDDEN_SHOW, "downton-abbey", "Downton Abbey", masterpiece, before))
    closed.readable = False
    _fill(found, FORBIDDEN_SHOW, "downton-abbey", ("Episode One", "Episode Two"), before)
    _add_others(found, before)

    _happened(found, epoch)
    return found


def _fill(found: PbsCatalogue, show_id: str, slug: str, names: tuple[str, ...], before: float) -> None:
    season_id = own_id(f"{slug}/1")
    found.add(season(season_id, show_id, 1, before))
    for ordinal, name in enumerate(names, start=1):
        episode_id = own_id(f"{slug}/1/{ordinal}")
        found.add(episode(episode_id, name, season_id, ordinal, before))
        found.add(asset(own_id(f"asset/{slug}/1/{ordinal}"), name, episode_id, before, full=True))


def _add_others(found: PbsCatalogue, before: float) -> None:
    wildlife = {**_texts("wildlife-at-night", "Wildlife at Night", before), "featured": False}
    found.add(Entity("collection", own_id("wildlife-at-night"), wildlife, SHOW))
    station = {
        "call_sign": "KSBX",
        "full_common_name": "Sandbox Public Television",
        "short_common_name": "KSBX",
        "images": [],
        "updated_at": pbs_time(before),
    }
    found.add(Entity("station", own_id("ksbx"), station))


def _happened(found: PbsCatalogue, epoch: float) -> None:
    """The burst as history, and beside it two entries of the show that the key may not read."""
    end = int(epoch) - BURST_ENDED
    moved = end - int(_seconds(BURST[-1][2]))  # by whole seconds: the microseconds stay as the page gives them
    entries = [(kind, number, round(moved + _seconds(time), 6)) for kind, number, time in BURST]
    entries += [("asset", FORBIDDEN_ASSET, end - 31.25), ("episode", FORBIDDEN_EPISODE, end - 31.125)]
    for place, (kind, number, time) in enumerate(sorted(entries, key=lambda entry: entry[2])):
        found.get(number).attributes["updated_at"] = pbs_time(time)
        found.record(Entry(time, 0, place, kind, number, "update"))


def _seconds(time: str) -> float:
    moment = datetime.strptime(time, "%H:%M:%S.%f").replace(tzinfo=UTC)
    return moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6


def _texts(slug: str, title: str, time: float, description: str = "") -> JsonObject:
    return {
        "slug": slug,
        "title": title,
        "title_sortable": title.removeprefix("The "),
        "description_short": description or f"{title}, from public television.",
        "description_long": description or f"{title}, from public television, in full.",
        "updated_at": pbs_time(time),
    }


def image(kind: str, number: str, profile: str, time: float) -> JsonObject:
    """An image of an entity. The path becomes an address when it is shown."""
    return {
        "image": f"/{kind}/{number[:8]}-{profile}.jpg",
        "profile": profile,
        "updated_at": pbs_time(time),
    }


def franchise(slug: str, title: str, time: float) -> Entity:
    number = own_id(f"franchise/{slug}")
    attributes = {
        **_texts(slug, title, time),
        "nola": slug[:4].upper(),
        "genre": {"id": own_id("genre/culture"), "slug": "culture", "title": "Culture"},
        "premiered_on": None,
        "funder_message": "",
        "hashtag": slug,
        "links": [],
        "images": [image("franchise", number, "franchise-mezzanine16x9", time)],
    }
    return Entity("franchise", number, attributes)


def show(number: str, slug: str, title: str, parent: Entity | None, time: float) -> Entity:
    attributes = {
        **_texts(slug, title, time),
        "nola": slug[:4].upper(),
        "tms_id": "",
        "premiered_on": None,
        "funder_message": "",
        "hashtag": "",
        "language": "en",
        "display_episode_number": True,
        "ordinal_season": True,
        "audience": [{"scope": "national", "station": None}],
        "tracking_ga_page": "",
        "tracking_ga_event": "",
        "links": [],
        "images": [
            image("show", number, "show-mezzanine16x9", time),
            image("show", number, "show-poster2x3", time),
        ],
    }
    return Entity("show", number, attributes, parent.id if parent else None)


def season(number: str, show_id: str, ordinal: int, time: float) -> Entity:
    attributes = {
        **_texts(f"season-{ordinal}", f"Season {ordinal}", time),
        "ordinal": ordinal,
        "latest_asset_images": [image("season", number, "asset-mezzanine-16x9", time)],
        "links": [],
    }
    return Entity("season", number, attributes, show_id)


def episode(number: str, title: str, season_id: str, ordinal: int, time: float) -> Entity:
    attributes = {
        **_texts(f"episode-{number[:6]}", title, time),
        "ordinal": ordinal,
        "segment": "",
        "tms_id": "",
        "nola": f"{ordinal:06d}",
        "premiered_on": "2017-10-18",
        "encored_on": "2017-10-18",
        "language": "en",
        "links": [],
    }
    return Entity("episode", number, attributes, season_id)


def special(number: str, title: str, show_id: str, time: float) -> Entity:
    attributes = {
        **_texts(f"special-{number[:6]}", title, time),
        "premiered_on": "2017-12-08",
        "encored_on": "2017-12-08",
        "nola": "",
        "language": "en",
        "links": [],
    }
    return Entity("special", number, attributes, show_id)


def asset(number: str, title: str, parent_id: str, time: float, *, full: bool = False) -> Entity:
    open_to_all = {"start": "2017-10-19T01:00:00Z", "end": None, "updated_at": pbs_time(time)}
    attributes = {
        **_texts(f"asset-{number[:6]}", title, time),
        "object_type": "full_length" if full else "clip",
        "premiered_on": "2017-10-18",
        "encored_on": "2017-10-18",
        "duration": 3180 if full else 95,
        "content_rating": None,
        "legacy_tp_media_id": 3_000_000_000 + int(number[:6], 16),
        "tags": [],
        "language": "en",
        "images": [image("asset", number, "asset-mezzanine-16x9", time)],
        "availabilities": {name: dict(open_to_all) for name in ("public", "all_members", "station_members")},
        "has_captions": True,
        "is_published": True,
        "auto_publish": False,
    }
    return Entity("asset", number, attributes, parent_id)

"""Entity documents in Media Manager's shapes, with values of our own."""

from __future__ import annotations

from typing import Any

STAMP = "2031-02-01T10:00:00.000001Z"


def document(cid: str, kind: str, attributes: dict[str, Any]) -> dict[str, Any]:
    plural = {"series": "shows"}.get(kind, f"{kind}s")
    return {
        "links": {"self": f"https://media.example.org/api/v1/{plural}/{cid}/?fetch-related"},
        "data": {"id": cid, "type": kind, "attributes": {"updated_at": STAMP, **attributes}},
        "meta": {"type": "resource"},
        "jsonapi": {"version": "1.0"},
    }


def embedded(cid: str, kind: str, **attributes: Any) -> dict[str, Any]:
    """An entity as it stands in another one's document."""
    return {
        "id": cid,
        "type": kind,
        "links": {"self": f"https://media.example.org/api/v1/{kind}s/{cid}/"},
        "attributes": {"updated_at": STAMP, **attributes},
    }


def image(path: str, profile: str) -> dict[str, str]:
    return {"image": f"https://image.pbs.org{path}", "profile": profile, "updated_at": STAMP}


ASSET = document(
    "as-1",
    "asset",
    {
        "slug": "the-tide-x1",
        "title": "The Tide",
        "title_sortable": "Tide",
        "description_short": "Water comes.",
        "object_type": "clip",
        "premiered_on": "2031-02-03",
        "duration": 91,
        "tags": None,
        "legacy_tp_media_id": 3100000001,
        "player_code": "<iframe src='//player.example.org/as-1'></iframe>",
        "content_rating_descriptor": ["V"],
        "images": [image("/video/aa-mezzanine.jpg", "asset-mezzanine-16x9")],
        "countries": [
            {"id": "c-2", "code": "US", "name": "United States", "updated_at": STAMP},
            {"id": "c-1", "code": "GU", "name": "Guam", "updated_at": STAMP},
        ],
        "geo_profile": {"id": "g-1", "name": "US & Territories", "updated_at": STAMP},
        "topics": [],
        "chapters": [{"title": "One", "start": 0, "updated_at": STAMP}],
        "captions": [
            {"profile": "WebVTT", "url": "https://v.example.org/1.vtt"},
            {"profile": "SRT", "url": "https://v.example.org/1.srt"},
        ],
        "videos": {
            "public": [{"profile": "mp4", "url": "https://u.example.org/b"}, {"profile": "hls", "url": "https://u.example.org/a"}]
        },
        "availabilities": {
            "public": {"start": "2031-02-03T00:00:00Z", "end": None, "updated_at": STAMP},
            "all_members": {"start": None, "end": None, "updated_at": STAMP},
        },
        "related_promos": [embedded("as-9", "asset", title="Promo")],
        "episode_links": [{"profile": "dvd", "value": "https://shop.example.org/1", "updated_at": STAMP}],
        "parent_tree": {
            **embedded("ep-1", "episode", title="Coast", ordinal=4),
            "attributes": {
                "title": "Coast",
                "ordinal": 4,
                "season": embedded(
                    "se-1", "season", title="", ordinal=2, show=embedded("sh-1", "show", title="Shores", franchise=None)
                ),
            },
        },
        "episode": embedded("ep-1", "episode", title="Coast", ordinal=4),
        "season": None,
        "show": None,
        "franchise": None,
    },
)

EPISODE = document(
    "ep-1",
    "episode",
    {
        "title": "Coast",
        "ordinal": 4,
        "nola": "000204",
        "tms_id": "",
        "language": "en",
        "assets": [embedded("as-1", "asset", title="The Tide")],
        "collections": [],
        "full_length_asset": embedded("as-2", "asset", title="Coast", images=[image("/video/full.jpg", "asset-mezzanine-16x9")]),
        "season": embedded("se-1", "season", title="", ordinal=2),
        "show": embedded("sh-1", "show", title="Shores"),
        "links": [
            {"profile": "buy-dvd", "value": "https://shop.example.org/1", "updated_at": STAMP},
            {"profile": "buy-dvd", "value": "https://shop.example.org/2", "updated_at": STAMP},
        ],
        "season_links": [{"profile": "amazon", "value": "https://a.example.org/", "updated_at": STAMP}],
    },
)

SHOW = document(
    "sh-1",
    "show",
    {
        "slug": "shores",
        "title": "Shores",
        "nola": "SHOR",
        "tms_id": "SH0001",
        "genre": {"id": "gn-1", "slug": "science", "title": "Science", "updated_at": STAMP},
        "platforms": [{"id": "pl-1", "slug": "allplatforms", "name": "All", "updated_at": STAMP}],
        "audience": [{"scope": "national", "station": None}],
        "episodes_count": 12,
        "images": [
            image("/c/logo.png", "show-logo"),
            image("/c/mezz.jpg", "show-mezzanine16x9"),
            image("/c/poster.jpg", "show-poster2x3"),
            image("/c/mezz.jpg", "show-stack-image"),
        ],
        "links": [{"profile": "facebook", "value": "https://f.example.org/shores", "updated_at": STAMP}],
        "seasons": [embedded("se-1", "season", ordinal=2)],
        "franchise": embedded("fr-1", "franchise", title="Planet"),
    },
)

SEASON = document(
    "se-1",
    "season",
    {
        "title": "",
        "ordinal": 2,
        "latest_asset_images": [image("/video/latest.jpg", "asset-mezzanine-16x9")],
        "show": embedded("sh-1", "show", title="Shores"),
        "links": [],
    },
)

FRANCHISE = document(
    "fr-1", "franchise", {"slug": "planet", "title": "Planet", "images": [image("/c/plain.png", "franchise-logo")]}
)
STATION = document("st-1", "station", {"call_sign": "KCTS", "full_common_name": "KCTS 9", "images": []})

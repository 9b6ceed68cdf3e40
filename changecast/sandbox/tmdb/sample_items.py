"""The values of TMDB's reference pages: movie changes, episode changes, episode stills.

Pictures that an item changes or deletes, and that were there before the page begins, are listed with the items.
"""

from __future__ import annotations

from changecast.sandbox.edit import JsonObject


def _shown(path: str, width: int, height: int, votes: float = 0, count: int = 0, language: str | None = None) -> JsonObject:
    return {
        "aspect_ratio": 1.777 if width == 1768 else round(width / height, 3),
        "file_path": path,
        "height": height,
        "iso_639_1": language,
        "vote_average": votes,
        "vote_count": count,
        "width": width,
    }


def _added(item_id: str, time: str, word: str, path: str, width: int, height: int) -> JsonObject:
    return {
        "key": "images",
        "action": "added",
        "id": item_id,
        "iso_3166_1": "",
        "iso_639_1": "",
        "time": f"{time} UTC",
        "value": {word: {"file_path": path}},
        "image": _shown(path, width, height),
    }


def _updated(item_id: str, time: str, word: str, path: str, before: str | None, after: str) -> JsonObject:
    return {
        "key": "images",
        "action": "updated",
        "id": item_id,
        "iso_3166_1": "",
        "iso_639_1": after,
        "original_value": {word: {"file_path": path, "iso_639_1": before}},
        "time": f"{time} UTC",
        "value": {word: {"file_path": path, "iso_639_1": after}},
    }


_POSTER_EN = "/jTCgHXv8zTNgI7ELff4PkcVBhBh.jpg"
_LOGO_PT = "/oOR5k82yzBJ6OIFVrVV47eHn7Lk.png"
_POSTERS_FR = (
    "/lD6n9YVuHiR6ZudGTCKlVNHmpgC.jpg",
    "/7YzXRQ1dJa8Ke0LDBl7fiLojH4w.jpg",
    "/qoGNVy0GKdoXMQwY3i9ammDVAbz.jpg",
)
_VIDEO = {
    "id": "67771f4515521f83d9667cb8",
    "key": "_ZBYN01c7OM",
    "name": "Gladiator II | 20 Years of Making a Sequel (EXCLUSIVE Behind the Scenes) | Paramount Movies",
    "site": "YouTube",
    "size": 1080,
    "type": "Behind the Scenes",
}

MOVIE_ITEMS: tuple[JsonObject, ...] = (
    _added("6775db1d194b5816d7614a4b", "2025-01-02 00:17:33", "poster", _POSTER_EN, 2000, 3000),
    _updated("6775db30194b5816d7614a54", "2025-01-02 00:17:52", "poster", _POSTER_EN, None, "en"),
    {
        "key": "plot_keywords",
        "action": "deleted",
        "id": "6775f9d9f6fa01a2aa613844",
        "iso_3166_1": "",
        "iso_639_1": "",
        "original_value": {"group": "tones", "id": 200918, "name": "angry"},
        "time": "2025-01-02 02:28:41 UTC",
    },
    _added("677685bc2efbf3b41d92ceac", "2025-01-02 12:25:32", "title_logo", _LOGO_PT, 1500, 500),
    _updated("677685c70f248e850812f653", "2025-01-02 12:25:43", "title_logo", _LOGO_PT, None, "pt"),
    _added(
        "6776e19405c46ab3fc931822",
        "2025-01-02 18:57:24",
        "poster",
        "/Fj7aQbGG5FJ7WAEJkycwi8nZqC.jpg",
        2000,
        3000,
    ),
    _added("677705f31a2df59ad374854e", "2025-01-02 21:32:35", "poster", _POSTERS_FR[0], 1000, 1500),
    _added("677705f31a2df59ad3748552", "2025-01-02 21:32:35", "poster", _POSTERS_FR[1], 1000, 1500),
    _added("677705f4b55ff939be66776d", "2025-01-02 21:32:36", "poster", _POSTERS_FR[2], 1000, 1500),
    _updated("677705fa6d7ca00e78723d5a", "2025-01-02 21:32:42", "poster", _POSTERS_FR[2], None, "fr"),
    _updated("677705fd6d7ca00e78723d5f", "2025-01-02 21:32:45", "poster", _POSTERS_FR[1], None, "fr"),
    _updated("677706016d7ca00e78723d60", "2025-01-02 21:32:49", "poster", _POSTERS_FR[0], None, "fr"),
    {
        "key": "videos",
        "action": "added",
        "id": "67771f4515521f83d9667cb9",
        "iso_3166_1": "US",
        "iso_639_1": "en",
        "time": "2025-01-02 23:20:37 UTC",
        "value": _VIDEO,
    },
    {
        "key": "videos",
        "action": "updated",
        "id": "67771f5225e0e91c57748a1b",
        "iso_3166_1": "US",
        "iso_639_1": "en",
        "original_value": _VIDEO,
        "time": "2025-01-02 23:20:50 UTC",
        "value": {**_VIDEO, "name": "20 Years of Making a Sequel - Exclusive Behind the Scenes"},
    },
)

_FIRST, _SECOND, _DELETED = (
    "/fmo7pOmLThRpUEKuMXnnpy6g6DU.jpg",
    "/2muYbFIIJcGhbgWzjQfPytqkpPF.jpg",
    "/weFt9EZtM7tt4A4uhzle5PPAige.jpg",
)
EPISODE_HAD: tuple[tuple[str, str | None], ...] = ((_FIRST, None), (_SECOND, None), (_DELETED, "de"))
"""The episode's pictures before the page's first item, with their languages."""

EPISODE_ITEMS: tuple[JsonObject, ...] = (
    _updated("678f26a72f2aa5c158aaab93", "2025-01-21 04:46:31", "backdrop", _FIRST, "xx", "wa"),
    _updated("678f26b2e93bd071355b2d34", "2025-01-21 04:46:42", "backdrop", _SECOND, None, "bg"),
    {
        "key": "images",
        "action": "deleted",
        "id": "678fe922f87f4119e6aabdc1",
        "iso_3166_1": "",
        "iso_639_1": "de",
        "original_value": {"backdrop": {"file_path": _DELETED}},
        "time": "2025-01-21 18:36:18 UTC",
    },
    _updated("678fe92d437589f3865b40bb", "2025-01-21 18:36:29", "backdrop", _SECOND, "bg", "xx"),
    _updated("678fe9329418bcfbadf092bc", "2025-01-21 18:36:34", "backdrop", _FIRST, "wa", "xx"),
)

STILLS: tuple[JsonObject, ...] = (
    _shown("/xxGd4OqBQLav65zdlshNyxB4oLL.jpg", 1768, 995, 3.334, 1, "en"),
    _shown("/l0GJx3IR8YasbztTJi5uK0XqkEo.jpg", 1920, 1080, 2.542, 4),
    _shown("/1kdHRLs05ia0E9X3Hi5Ts5Sc1jk.jpg", 1920, 1080, 1.75, 2),
    _shown("/icjOgl5F9DhysOEo6Six2Qfwcu2.jpg", 1920, 1080, 1.222, 3),
    _shown("/hBcErC6KDly9mZ2TYWUSwdcb0hH.jpg", 1920, 1080, 1.222, 3),
    _shown("/4xGRwaINyXxggcl0dO8IXGlX4Yq.jpg", 3840, 2160, 0.166, 1),
    _shown("/4mjUsO5RiHoYbSjmjUzpgPSLwLS.jpg", 1920, 1080),
    _shown("/rZCW3L4d22iA1DOkDb5fqRgpnpH.jpg", 1920, 1080),
    _shown("/fb4RyKsX1Zjj310Wq6Z888UIQqi.jpg", 1920, 1080),
    _shown("/1ThrlkkkBccfQrIgBcQp1tQh6m5.jpg", 1920, 1080),
    _shown("/2iSzWMwGSCLzNkoa28gSbYOENys.jpg", 3840, 2160, language="en"),
)
"""The stills page but for its last picture, which `STILLS_ITEMS` brings."""

_LAST_STILL = "/16Bu0ySNa4DF6gdU8V7jnXjUYtK.jpg"
STILLS_ITEMS: tuple[JsonObject, ...] = (
    _added("678fe80f0000000000000001", "2025-01-21 18:31:43", "still", _LAST_STILL, 3840, 2160),
    _updated("678fe8190000000000000011", "2025-01-21 18:31:53", "still", _LAST_STILL, None, "ne"),
)
"""How the stills page's last picture came: the page shows it, its history is the sandbox's own."""

"""What of a series is compared."""

from __future__ import annotations

from typing import Any

import pytest

from producers.tvdb.document import (
    actor_fields,
    episode_fields,
    images_by_path,
    pictured,
    primary_image,
    series_fields,
    size_of,
)
from producers.tvdb.models import Picture, Record
from producers.tvdb.parse import pictures_of
from producers.volatile import without
from schemas.config import Tvdb
from tests.producers.tvdb.documents import GERMAN, SERIES, actor, episode, picture, record


def pictures(*items: dict[str, Any]) -> tuple[Picture, ...]:
    return pictures_of({"data": list(items)}).pictures


def test_fields_are_compared_but_for_votes_and_touches() -> None:
    fields = without(series_fields(record(SERIES), {}), Tvdb().volatile)
    assert fields["seriesName"] == "Tideland"
    assert fields["status"] == "Continuing"
    assert not {"siteRating", "siteRatingCount", "lastUpdated", "addedBy", "id", "language"} & fields.keys()


def test_a_field_that_is_not_known_here_is_compared_too() -> None:
    assert series_fields(record({**SERIES, "newWord": [1]}), {})["newWord"] == [1]


def test_an_empty_text_and_null_are_the_same() -> None:
    fields = series_fields(record(SERIES), {})
    assert fields["firstAired"] is None
    assert fields == series_fields(record({**SERIES, "firstAired": None}), {})


def test_translations_stand_beside_with_their_language() -> None:
    fields = series_fields(record(SERIES), {"de": record(GERMAN), "fr": Record("501", {})})
    assert fields["overview"] == "A harbour town."
    assert (fields["seriesName@de"], fields["overview@de"]) == ("Gezeitenland", None)
    assert (fields["seriesName@fr"], fields["overview@fr"]) == (None, None)
    assert "status@de" not in fields


def test_an_episode_is_compared_by_what_it_says() -> None:
    fields = episode_fields(record(episode(1)), {"de": record(episode(1, episodeName="Teil 1"))})
    assert (fields["episodeName"], fields["episodeName@de"]) == ("Part 1", "Teil 1")
    assert fields["productionCode"] is None
    volatile = {
        "lastUpdated": 5,
        "lastUpdatedBy": 9,
        "siteRating": 1.5,
        "siteRatingCount": 9,
        "thumbAuthor": 4,
        "thumbAdded": "x",
    }
    touched = episode_fields(record(episode(1, **volatile)), {"de": record(episode(1, episodeName="Teil 1"))})
    assert without(fields, Tvdb().volatile) == without(touched, Tvdb().volatile)


def test_an_actor_is_compared_by_name_role_and_picture() -> None:
    assert without(actor_fields(record(actor(1))), Tvdb().volatile) == {
        "name": "Actor 1",
        "role": "Harbour master",
        "sortOrder": 1,
        "image": "actors/1.jpg",
    }


def test_an_image_has_its_whole_address_size_and_votes() -> None:
    image = images_by_path(pictures(picture(4)), record(SERIES))["posters/501-4.jpg"]
    assert image.url == "https://artworks.thetvdb.com/banners/posters/501-4.jpg"
    assert image.thumbnail_url == "https://artworks.thetvdb.com/banners/posters/501-4_t.jpg"
    assert (image.kind, image.width, image.height, image.aspect_ratio) == ("poster", 680, 1000, 0.68)
    assert (image.language, image.vote_average, image.vote_count) == ("en", 8.5, 2)


@pytest.mark.parametrize(
    ("resolution", "size"), [("1920x1080", (1920, 1080)), ("", (None, None)), ("big", (None, None)), ("0x0", (0, 0))]
)
def test_a_resolution_may_say_nothing(resolution: str, size: tuple[int | None, int | None]) -> None:
    assert size_of(resolution) == size
    images_by_path(pictures(picture(4, resolution=resolution)), record(SERIES))


@pytest.mark.parametrize(
    "sparse",
    [
        {"ratingsInfo": None},
        {"thumbnail": None},
        {"resolution": None},
        {"language": None},
        {"subKey": None},
        {"ratingsInfo": {"average": 7}},
    ],
)
def test_an_image_may_say_little_more_than_its_file(sparse: dict[str, Any]) -> None:
    assert "posters/501-4.jpg" in images_by_path(pictures(picture(4, **sparse)), record(SERIES))


@pytest.mark.parametrize("thumbnail", ["_cache/posters/501-4.jpg", "/banners/_cache/posters/501-4.jpg"])
def test_a_thumbnail_that_the_host_refuses_is_the_one_beside_the_picture(thumbnail: str) -> None:
    image = images_by_path(pictures(picture(4, thumbnail=thumbnail)), record(SERIES))["posters/501-4.jpg"]
    assert image.thumbnail_url == "https://artworks.thetvdb.com/banners/posters/501-4_t.jpg"


@pytest.mark.parametrize(
    "file_name", ["posters/501-4.jpg", "/posters/501-4.jpg", "banners/posters/501-4.jpg", "/banners/posters/501-4.jpg"]
)
def test_the_folder_stands_once_in_an_address(file_name: str) -> None:
    [image] = [
        one for one in images_by_path(pictures(picture(4, fileName=file_name)), record(SERIES)).values() if one.path == file_name
    ]
    assert image.url == "https://artworks.thetvdb.com/banners/posters/501-4.jpg"


def test_a_season_poster_has_its_season_and_other_kinds_have_none() -> None:
    images = images_by_path(
        pictures(
            picture(4, "season", subKey="2"),
            picture(5, "seasonwide", subKey="0"),
            picture(6, "season", subKey="specials"),
            picture(7, "fanart", subKey="2"),
        ),
        record(SERIES),
    )
    assert [
        images[f"{path}.jpg"].season for path in ("season/501-4", "seasonwide/501-5", "season/501-6", "fanart/original/501-7")
    ] == [
        2,
        0,
        None,
        None,
    ]


def test_a_language_by_its_id_serves_where_none_is_named() -> None:
    images = images_by_path(
        pictures(picture(4, language=None, languageId=14), picture(5, languageId=14), picture(6, language=None, languageId=0)),
        record(SERIES),
        {14: "de"},
    )
    assert [images[f"posters/501-{number}.jpg"].language for number in (4, 5, 6)] == ["de", "en", None]


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ({"thumbWidth": "640", "thumbHeight": "360"}, (640, 360, 1.778)),
        ({"thumbWidth": 640, "thumbHeight": 360}, (640, 360, 1.778)),
        ({"thumbWidth": "", "thumbHeight": None}, (None, None, None)),
        ({}, (None, None, None)),
    ],
)
def test_an_episodes_picture_has_the_size_that_the_episode_names(size: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    image = pictured("episodes", None, {"filename": "e/1.jpg", **size})
    assert image is not None
    assert (image.width, image.height, image.aspect_ratio) == wanted


def test_a_file_listed_twice_is_one_image_and_the_same_in_any_order() -> None:
    twice = [picture(9, fileName="a.jpg", resolution="1x1"), picture(10, fileName="a.jpg", resolution="2x2")]
    one, other = (images_by_path(pictures(*order), record(SERIES)) for order in (twice, twice[::-1]))
    assert one == other
    assert one["a.jpg"].width == 1


def test_a_file_may_be_a_whole_address() -> None:
    url = "https://artworks.example.org/a.jpg"
    assert images_by_path(pictures(picture(4, fileName=url)), record(SERIES))[url].url == url


def test_the_poster_that_the_series_names_is_the_primary_picture_also_when_no_list_has_it() -> None:
    images = images_by_path(pictures(picture(4)), record(SERIES))
    assert primary_image(images, record(SERIES)) == "posters/501-2.jpg"
    assert images["posters/501-2.jpg"].kind == "poster"


def test_without_one_it_is_the_best_poster() -> None:
    bare = record({**SERIES, "poster": "", "banner": None, "fanart": None})
    rated = pictures(
        picture(1, "fanart", ratingsInfo={"average": 10, "count": 9}),
        picture(2, ratingsInfo={"average": 3, "count": 1}),
        picture(3, ratingsInfo={"average": 9, "count": 1}),
    )
    assert primary_image(images_by_path(rated, bare), bare) == "posters/501-3.jpg"
    assert primary_image({}, bare) is None


@pytest.mark.parametrize(
    ("key", "before", "after", "named"),
    [
        ("images", None, {"path": "posters/1.jpg", "kind": "poster"}, [("posters/1.jpg", "poster")]),
        ("images", {"path": "posters/1.jpg", "kind": "poster"}, None, [("posters/1.jpg", "poster")]),
        ("poster", "posters/1.jpg", "posters/2.jpg", [("posters/2.jpg", "poster")]),
        ("banner", "graphical/1.jpg", None, [("graphical/1.jpg", "series")]),
        ("episodes", None, {"filename": "e/1.jpg"}, [("e/1.jpg", "episode")]),
        ("episodes", {"filename": "e/1.jpg"}, None, [("e/1.jpg", "episode")]),
        ("episodes", {"filename": None}, {"filename": "e/1.jpg"}, [("e/1.jpg", "episode")]),
        ("episodes", {"filename": "e/1.jpg", "x": 1}, {"filename": "e/1.jpg", "x": 2}, []),
        ("actors", None, {"image": "a/1.jpg"}, [("a/1.jpg", "actor")]),
        ("actors", None, {"image": None}, []),
        ("overview", "a", "b", []),
        ("entity", None, None, []),
    ],
)
def test_the_pictures_that_a_change_names(key: str, before: Any, after: Any, named: list[tuple[str, str]]) -> None:
    image = pictured(key, before, after)
    assert ([] if image is None else [(image.path, image.kind)]) == named

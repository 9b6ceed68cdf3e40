"""What of a document is compared."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.pbs.document import (
    external_ids_of,
    fields_of,
    image_at,
    images_of,
    members_of,
    name_of,
    number_of,
    primary_image,
    public_url,
)
from producers.volatile import without
from schemas.config import Pbs
from tests.producers.pbs.documents import ASSET, EPISODE, FRANCHISE, SEASON, SHOW, STATION


def attributes(document: dict[str, Any]) -> dict[str, Any]:
    return document["data"]["attributes"]  # type: ignore[no-any-return]


def compared(value: Any) -> Any:
    return without(value, Pbs().volatile)


def test_plain_fields_are_compared_and_volatile_ones_are_not() -> None:
    fields = compared(fields_of(attributes(ASSET)))
    assert fields["title"] == "The Tide"
    assert fields["duration"] == 91
    assert fields["tags"] is None
    assert fields["content_rating_descriptor"] == ["V"]
    assert not {"updated_at", "player_code", "images", "availabilities", "parent_tree", "episode_links"} & fields.keys()
    assert "updated_at" not in str(fields)


def test_references_count_by_their_names_in_any_order() -> None:
    fields = fields_of(attributes(ASSET))
    assert fields["countries"] == ["GU", "US"]
    assert fields["geo_profile"] == "US & Territories"
    assert fields_of(attributes(SHOW))["genre"] == "science"
    assert fields_of(attributes(SHOW))["platforms"] == ["allplatforms"]


def test_files_count_by_profile_and_not_by_url() -> None:
    fields = compared(fields_of(attributes(ASSET)))
    assert fields["videos"] == {"public": ["hls", "mp4"]}
    assert fields["captions"] == ["SRT", "WebVTT"]
    assert fields["chapters"] == [{"title": "One", "start": 0}]


def test_an_embedded_entity_counts_by_its_id_and_lists_of_children_do_not() -> None:
    fields = fields_of(attributes(EPISODE))
    assert fields["season"] == "se-1"
    assert fields["show"] == "sh-1"
    assert fields["full_length_asset"] == "as-2"
    assert not {"assets", "collections", "links", "season_links"} & fields.keys()
    assert "related_promos" not in fields_of(attributes(ASSET))


def test_availabilities_and_links_are_members() -> None:
    assert compared(members_of(attributes(ASSET))) == {
        "availabilities": {
            "public": {"start": "2031-02-03T00:00:00Z", "end": None},
            "all_members": {"start": None, "end": None},
        }
    }
    assert members_of(attributes(EPISODE))["links"] == {
        "buy-dvd": {"value": "https://shop.example.org/1"},
        "buy-dvd#2": {"value": "https://shop.example.org/2"},
    }


def test_images_have_their_profile_as_kind_and_the_ratio_that_it_tells() -> None:
    images = images_of(attributes(SHOW))
    assert images["/c/poster.jpg"].kind == "show-poster2x3"
    assert images["/c/poster.jpg"].url == "https://image.pbs.org/c/poster.jpg"
    assert images["/c/poster.jpg"].aspect_ratio == 0.667
    assert images["/c/logo.png"].aspect_ratio is None


def test_two_profiles_with_one_file_are_two_images() -> None:
    images = images_of(attributes(SHOW))
    assert images["/c/mezz.jpg"].kind == "show-mezzanine16x9"
    shared = images["/c/mezz.jpg#show-stack-image"]
    assert (shared.kind, shared.path) == ("show-stack-image", "/c/mezz.jpg#show-stack-image")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_file_has_one_path_by_http_and_by_https(scheme: str) -> None:
    images = images_of({"images": [{"image": f"{scheme}://image.pbs.org/v/a.jpg", "profile": "asset-mezzanine-16x9"}]})
    assert list(images) == ["/v/a.jpg"]


def test_a_picture_of_another_server_keeps_its_whole_url() -> None:
    images = images_of({"images": [{"image": "https://cdn.example.org/v/a.jpg", "profile": "show-logo"}]})
    assert images["https://cdn.example.org/v/a.jpg"].url == "https://cdn.example.org/v/a.jpg"
    assert image_at("https://cdn.example.org/v/a.jpg").url == "https://cdn.example.org/v/a.jpg"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (SHOW, "/c/mezz.jpg"),
        (ASSET, "/video/aa-mezzanine.jpg"),
        (FRANCHISE, "/c/plain.png"),
        (SEASON, "/video/latest.jpg"),
        (EPISODE, "/video/full.jpg"),
        (STATION, None),
    ],
)
def test_the_primary_image_is_the_16x9_mezzanine_or_the_first_there_is(document: dict[str, Any], path: str | None) -> None:
    assert primary_image(images_of(attributes(document))) == path


def test_names_numbers_ids_and_pages() -> None:
    assert name_of(attributes(ASSET)) == "The Tide"
    assert name_of(attributes(SEASON)) is None
    assert name_of(attributes(STATION)) == "KCTS 9"
    assert number_of(attributes(SEASON)) == 2
    assert number_of(attributes(SHOW)) is None
    assert external_ids_of(attributes(SHOW)) == {"nola": "SHOR", "tms_id": "SH0001"}
    assert external_ids_of(attributes(ASSET)) == {"legacy_tp_media_id": "3100000001"}
    assert public_url("series", attributes(SHOW)) == "https://www.pbs.org/show/shores/"
    assert public_url("asset", attributes(ASSET)) == "https://www.pbs.org/video/the-tide-x1/"
    assert public_url("episode", attributes(EPISODE)) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "type", "attributes", "updated_at", "profile", "url", "image", "images", "links", "availabilities", "slug"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(
    st.dictionaries(
        st.sampled_from(["images", "latest_asset_images", "links", "availabilities", "title", "full_length_asset"]), JSON
    )
)
def test_whatever_a_document_holds_reading_it_never_fails_and_no_updated_at_is_left(document: dict[str, Any]) -> None:
    images_of(document)
    primary_image(images_of(document))
    assert "updated_at" not in _keys(compared(members_of(document)))
    assert "updated_at" not in _keys(compared(fields_of(document)))


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(key for item in value.values() for key in _keys(item))}
    return {key for item in value for key in _keys(item)} if isinstance(value, list) else set()

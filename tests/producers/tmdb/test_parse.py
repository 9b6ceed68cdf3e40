from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.tmdb import parse
from producers.tmdb.models import Pointer
from runtime.http import BadResponse
from schemas.event import Action

ITEM = {"id": "677000000000000000000001", "action": "updated", "time": "2025-01-21 04:46:31 UTC"}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "key", "items", "changes", "results", "time", "images", "stills", "file_path"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def one(**more: Any) -> Any:
    [item] = parse.parse_changes({"changes": [{"key": "overview", "items": [{**ITEM, **more}]}]}).items
    return item


@pytest.mark.parametrize("value", ["text", "", 0, 80, 1.5, True, False, None, [], ["a"], {}, {"poster": {"file_path": "/a.jpg"}}])
def test_values_of_every_type_are_kept_as_they_came(value: Any) -> None:
    item = one(value=value, original_value=value)
    assert item.after == value
    assert item.before == value
    assert type(item.after) is type(value)


def test_an_item_may_have_no_value_or_only_the_original_one() -> None:
    assert (one(action="created").before, one(action="created").after) == (None, None)
    deleted = one(action="deleted", original_value={"id": 1})
    assert (deleted.before, deleted.after, deleted.action) == ({"id": 1}, None, Action.DELETED)


@pytest.mark.parametrize("given_code", [{}, {"iso_639_1": None, "iso_3166_1": None}, {"iso_639_1": "", "iso_3166_1": ""}])
def test_languages_that_are_missing_null_or_empty_are_none(given_code: dict[str, Any]) -> None:
    assert (one(**given_code).language, one(**given_code).country) == (None, None)


@pytest.mark.parametrize("none", ["xx", "XX"])
def test_the_code_for_no_language_is_none_in_changes_and_images(none: str) -> None:
    item = one(iso_639_1=none, iso_3166_1=none)
    assert (item.language, item.country) == (None, None)
    [picture] = parse.parse_images({"posters": [{"file_path": "/a.jpg", "iso_639_1": none}]})
    assert picture.language is None


@pytest.mark.parametrize(
    ("word", "action"),
    [
        ("added", Action.ADDED),
        ("Deleted", Action.DELETED),
        ("destroyed", Action.DELETED),
        ("Destroyed", Action.DELETED),
        ("merged", Action.UPDATED),
        ("\ufffd", Action.UPDATED),
    ],
)
def test_an_action_that_nobody_knows_is_an_update_and_its_word_is_kept(word: str, action: Action) -> None:
    item = one(action=word)
    assert (item.action, item.native_action) == (action, word)


def test_a_language_and_a_country_are_kept() -> None:
    item = one(iso_639_1="pt", iso_3166_1="BR")
    assert (item.language, item.country) == ("pt", "BR")


def test_times_are_in_utc() -> None:
    assert one().time == datetime(2025, 1, 21, 4, 46, 31, tzinfo=UTC)
    assert one(time="2025-01-21T05:46:31+01:00").time == datetime(2025, 1, 21, 4, 46, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    "bad",
    [
        {"id": None},
        {"id": ""},
        {"id": 5},
        {"action": None},
        {"action": ""},
        {"action": ["updated"]},
        {"time": None},
        {"time": "yesterday"},
    ],
)
def test_a_bad_item_is_set_aside_with_its_key_and_the_next_one_is_read(bad: dict[str, Any]) -> None:
    found = parse.parse_changes({"changes": [{"key": "title", "items": [{**ITEM, **bad}, ITEM]}]})
    assert [item.id for item in found.items] == [ITEM["id"]]
    [broken] = found.broken
    assert broken.reason == "bad-item"
    assert b'"key":"title"' in broken.body


@pytest.mark.parametrize("group", [None, "x", {}, {"key": "title"}, {"key": None, "items": []}, {"key": "title", "items": {}}])
def test_a_group_that_is_none_is_set_aside(group: Any) -> None:
    found = parse.parse_changes({"changes": [group, {"key": "title", "items": [ITEM]}]})
    assert (len(found.items), len(found.broken)) == (1, 1)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"changes": None}, {"changes": {}}])
def test_changes_that_are_no_list_are_a_bad_response(document: Any) -> None:
    with pytest.raises(BadResponse):
        parse.parse_changes(document)


def test_a_list_has_ids_and_pages_and_sets_aside_what_has_no_id() -> None:
    results = [{"id": 3, "adult": None}, {"id": None}, {"id": True}, {"id": "3"}, None, {"id": 3}]
    listed = parse.parse_list({"results": results, "page": 1, "total_pages": 14, "total_results": 1})
    assert (listed.ids, listed.total_pages) == ((3, 3), 14)
    assert [item.reason for item in listed.broken] == ["no-entity-id"] * 4
    # as they came, for whoever replays them
    assert [json.loads(item.body) for item in listed.broken] == [{"id": None}, {"id": True}, {"id": "3"}, None]
    assert {item.error for item in listed.broken} == {"a listed change has no id"}


def test_an_empty_day_has_no_pages() -> None:
    listed = parse.parse_list({"results": [], "page": 1, "total_pages": 0, "total_results": 0})
    assert (listed.ids, listed.total_pages, listed.broken) == ((), 0, ())


def test_a_pointer_is_read_from_the_value_or_from_the_original_one() -> None:
    def pointer(**more: Any) -> Pointer | None:
        found = parse.parse_changes({"changes": [{"key": "season", "items": [{**ITEM, **more}]}]})
        return parse.pointer(found.items[0])

    assert pointer(value={"season_id": 3624, "season_number": 1}) == Pointer(3624, 1)
    assert pointer(original_value={"season_id": 3624, "season_number": 0}) == Pointer(3624, 0)
    assert pointer(value={"season_id": 3624}) == Pointer(3624, None)
    assert pointer(value={"season_id": None}) is None
    assert pointer(value="3624") is None
    assert pointer() is None


def test_pictures_have_the_kind_of_their_list() -> None:
    entry = {
        "file_path": "/a.jpg",
        "width": 1920,
        "height": 1080,
        "aspect_ratio": 1.778,
        "iso_639_1": "de",
        "vote_average": 0,
        "vote_count": 7,
    }
    lists = {"stills": "still", "posters": "poster", "backdrops": "backdrop", "logos": "logo", "profiles": "profile"}
    for name, kind in lists.items():
        [picture] = parse.parse_images({"id": 1, name: [entry, {"file_path": None}, "x"]})
        assert (picture.kind, picture.path, picture.language) == (kind, "/a.jpg", "de")
        assert (picture.width, picture.height, picture.aspect_ratio) == (1920, 1080, 1.778)
        assert (picture.vote_average, picture.vote_count) == (0.0, 7)


def test_details_give_name_number_picture_and_ids_and_leave_out_lists() -> None:
    details = parse.parse_details(
        {
            "id": 3624,
            "name": "Season 1",
            "season_number": 1,
            "poster_path": "/p.jpg",
            "popularity": 7.1,
            "vote_average": 8.0,
            "air_date": "2011-04-17",
            "external_ids": {"tvdb_id": 364731, "freebase_id": None, "imdb_id": "", "tvrage_id": 0, "id": 3624},
            "episodes": [{"id": 63056, "episode_number": 1}, {"id": None, "episode_number": 2}, {}],
        }
    )
    assert (details.name, details.number, details.primary_image) == ("Season 1", 1, "/p.jpg")
    assert details.external_ids == {"tvdb_id": "364731"}
    assert details.children == {63056: 1}
    assert details.fields["air_date"] == "2011-04-17"
    assert not {"external_ids", "episodes"} & set(details.fields)


def test_an_episodes_number_is_its_own_and_not_its_seasons() -> None:
    assert parse.parse_details({"id": 1, "season_number": 3, "episode_number": 9}).number == 9


@given(json_values)
def test_any_json_is_read_or_is_a_bad_response(document: Any) -> None:
    for read in (parse.parse_changes, parse.parse_list, parse.parse_images, parse.parse_details):
        try:
            read(document)
        except BadResponse as bad:
            assert isinstance(bad.body, bytes)


@given(st.lists(json_values, max_size=6))
def test_a_group_of_anything_loses_no_item(members: list[Any]) -> None:
    found = parse.parse_changes({"changes": [{"key": "title", "items": [*members, ITEM]}]})
    assert len(found.items) + len(found.broken) == len(members) + 1

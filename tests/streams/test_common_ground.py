"""States that were fetched in different languages, or by different versions of the parser."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.event import Action, Change, Entity, Image
from streams.diff import differences
from streams.snapshots import State
from tests.streams.memory import image

NOW = datetime(2025, 1, 21, tzinfo=UTC)
SERIES = Entity(type="series", native_type="show", id="1")


def state(version: int = 1, languages: tuple[str, ...] | None = ("en",), **parts: Any) -> State:
    return State(SERIES, NOW, parser_version=version, languages=languages, **parts)


def told(before: State, after: State) -> list[tuple[str, Action, str | None]]:
    changes = differences(before, after)
    assert changes is not None
    return [(change.key, change.action, change.native_id or change.language) for change in changes]


def test_a_field_that_only_the_new_parser_knows_is_no_change() -> None:
    before = state(1, fields={"title": "A", "gone": 1})
    after = state(2, fields={"title": "B", "tagline": "new"})
    assert told(before, after) == [("title", Action.UPDATED, None)]


def test_between_states_of_one_parser_every_field_counts() -> None:
    before = state(2, fields={"title": "A", "gone": 1})
    after = state(2, fields={"title": "A", "tagline": "new"})
    assert told(before, after) == [("gone", Action.DELETED, None), ("tagline", Action.ADDED, None)]


def test_members_come_and_go_between_two_parsers_and_are_compared_by_what_both_know() -> None:
    before = state(1, members={"episodes": {"7": {"name": "A"}, "8": {"name": "B"}}})
    after = state(
        2, members={"episodes": {"7": {"name": "A", "runtime": 45}, "9": {"name": "C", "runtime": 45}}, "cast": {"1": {}}}
    )
    assert told(before, after) == [("episodes", Action.DELETED, "8"), ("episodes", Action.ADDED, "9")]
    renamed = replace(after, members={"episodes": {"7": {"name": "Z", "runtime": 45}, "8": {"name": "B"}}})
    assert told(before, renamed) == [("episodes", Action.UPDATED, "7")]


def test_an_attribute_of_an_image_that_only_the_new_parser_knows_is_no_change() -> None:
    bare = Image(kind="season", url="u", path="/a.jpg", width=100, height=100)
    fuller = bare.model_copy(update={"season": 1, "language": "en"})
    assert told(state(1, images={"/a.jpg": bare}), state(2, images={"/a.jpg": fuller, "/b.jpg": image("/b.jpg")})) == [
        ("images", Action.ADDED, "/b.jpg")
    ]
    wider = fuller.model_copy(update={"width": 200})
    assert told(state(1, images={"/a.jpg": bare}), state(2, images={"/a.jpg": wider})) == [("images", Action.UPDATED, "/a.jpg")]


def test_an_image_that_is_served_at_another_address_has_not_changed() -> None:
    old = image("/a.jpg")
    new = old.model_copy(update={"url": "https://elsewhere.example/a.jpg", "thumbnail_url": "https://elsewhere.example/a_t.jpg"})
    assert told(state(images={"/a.jpg": old}), state(images={"/a.jpg": new})) == []


@pytest.mark.parametrize("before_languages", [("en",), None], ids=["kept", "not kept"])
def test_a_new_language_is_no_change(before_languages: tuple[str, ...] | None) -> None:
    before = state(
        languages=before_languages,
        fields={"title": "A"},
        members={"episodes": {"7": {"name": "x"}}},
        images={"/a.jpg": image("/a.jpg", "en")},
    )
    after = state(
        languages=("en", "de"),
        fields={"title": "B", "title@de": "C"},
        members={"episodes": {"7": {"name": "x", "name@de": "y"}}},
        images={"/a.jpg": image("/a.jpg", "en"), "/b.jpg": image("/b.jpg", "de"), "/c.jpg": image("/c.jpg")},
    )
    assert told(before, after) == [("title", Action.UPDATED, None), ("images", Action.ADDED, "/c.jpg")]


def test_a_language_that_is_no_longer_asked_for_is_not_deleted() -> None:
    before = state(languages=("en", "de"), fields={"title": "A", "title@de": "C"}, images={"/b.jpg": image("/b.jpg", "de")})
    assert told(before, state(languages=("en",), fields={"title": "A"})) == []


def test_a_translation_in_a_language_that_both_were_asked_in_is_a_change() -> None:
    before = state(languages=("en", "de"), fields={"title": "A", "title@de": None})
    after = state(languages=("en", "de", "fr"), fields={"title": "A", "title@de": "C", "title@fr": "D"})
    assert told(before, after) == [("title", Action.UPDATED, "de")]


def test_states_in_different_primary_languages_are_not_compared() -> None:
    before, after = state(languages=("en",), fields={"title": "A"}), state(languages=("de", "en"), fields={"title": "B"})
    assert differences(before, after) is None


def test_an_old_snapshot_of_a_provider_without_languages_is_compared_whole() -> None:
    before = state(languages=None, fields={"title": "A"}, images={"/a.jpg": image("/a.jpg", "en")})
    after = state(languages=(), fields={"title": "B"})
    assert differences(before, after) == [
        Change(key="title", action=Action.UPDATED, before="A", after="B"),
        *(differences(replace(before, languages=()), replace(after, fields={"title": "A"})) or []),
    ]

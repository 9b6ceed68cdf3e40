from __future__ import annotations

from typing import Any

import pytest

from schemas.event import Change, Parent
from sinks import wording
from tests.sinks.worlds import change_event


def document(**fields: Any) -> dict[str, Any]:
    return change_event(**fields).model_dump(mode="json")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "Game of Thrones S01E02 The Kingsroad"),
        ({"name": None}, "Game of Thrones S01E02"),
        ({"entity": "season", "name": "Season 1", "parents": [Parent(type="series", id="1", name="Nature")]}, "Nature season 2"),
        ({"entity": "movie", "name": "Fight Club", "parents": []}, "Fight Club"),
        ({"entity": "movie", "entity_id": "550", "name": None, "parents": []}, "movie 550"),
        (
            {"entity": "asset", "name": "Preview", "parents": [Parent(type="series", id="1", name="Nature")], "provider": "pbs"},
            "Nature Preview",
        ),
        (
            {"entity": "asset", "entity_id": "9", "name": None, "parents": [Parent(type="series", id="1", name="Nature")]},
            "Nature asset 9",
        ),
    ],
)
def test_names_are_what_people_call_it(fields: dict[str, Any], name: str) -> None:
    assert wording.entity_name(document(**fields)) == name


def image(action: str, kind: str = "still", **fields: Any) -> Change:
    return Change.model_validate(
        {"key": "images", "action": action, "after": {kind: {"file_path": "/1.jpg", "iso_639_1": None}}, **fields}
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([], "nothing differs"),
        ([image("added")], "still added"),
        ([image("added", "title_logo", language="de")], "logo added (de)"),
        ([Change(key="images", action="deleted", before={"kind": "poster", "path": "/1.jpg"})], "poster deleted"),
        ([Change(key="title", action="updated"), Change(key="overview", action="updated")], "title and description updated"),
        ([Change(key="title", action="updated"), image("added")], "title updated and still added"),
        ([image("added"), image("added")], "2 times still added"),
        ([Change(key=f"k_{n}", action="updated") for n in range(7)], "7 changes: k 0, k 1 and 5 more"),
        ([Change(key="entity", action="deleted")], "deleted"),
        ([Change(key="gap", action="created")], "a time is missing: the provider no longer has it"),
    ],
)  # fmt: skip
def test_changes_are_told_in_a_few_words(changes: list[Change], words: str) -> None:
    assert wording.change_words(document(changes=changes)) == words


def test_an_entity_that_this_key_may_not_read_says_so() -> None:
    made = document(changes=[Change(key="entity", action="updated")])
    made["data"]["enrichment"]["status"] = "forbidden"
    assert wording.change_words(made) == "updated (not readable with this key)"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, None),
        ("", None),
        ([], None),
        (True, "yes"),
        (7.5, "7.5"),
        ("two\nlines", "two lines"),
        ("x" * 500, "x" * 159 + "…"),
        ({"still": {"file_path": "/1.jpg", "iso_639_1": "en"}}, "/1.jpg"),
        ({"name": "Drama", "id": 18}, "Drama"),
        ([{"name": "Drama"}, {"name": "War"}], "Drama, War"),
        ([str(n) for n in range(9)], "0, 1, 2, 3, 4 and 4 more"),
        ({"a_b": 1, "c": None}, "a b: 1"),
    ],
)
def test_values_are_told_by_what_names_them(value: Any, words: str | None) -> None:
    assert wording.value_words(value) == words


def test_a_digest_groups_by_show_and_season() -> None:
    assert wording.series_name(document()) == "Game of Thrones season 1"
    assert wording.series_name(document(parents=[])) is None

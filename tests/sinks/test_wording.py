from __future__ import annotations

from typing import Any

import pytest

from schemas.event import Change, Image, Parent
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
        ([Change(key="images", action="deleted", before={"still": {"file_path": "/0.jpg"}}), image("added")], "still replaced"),
        ([image("added"), Change(key="images", action="deleted", before={"still": {"file_path": "/0.jpg"}})], "still replaced"),
        ([image("added"), image("added"), Change(key="images", action="deleted", before={"still": {"file_path": "/0.jpg"}})],
         "still replaced and still added"),
        ([Change(key="images", action="deleted", before={"kind": "poster", "path": "/1.jpg"})], "poster deleted"),
        ([Change(key="title", action="updated"), Change(key="overview", action="updated")], "title and description updated"),
        ([Change(key="title", action="updated"), image("added")], "title updated and still added"),
        ([image("added"), image("added")], "2 stills added"),
        ([Change(key="availabilities", action="updated")] * 3, "3 availabilities updated"),
        ([Change(key="title", action="updated")] * 2, "2 times title updated"),
        ([image("added", "asset-mezzanine-16x9")], "asset mezzanine 16x9 added"),
        ([Change(key="images", action="added", after={"kind": "series", "path": "graphical/1.jpg"})], "banner added"),
        ([Change(key="episodes", action="added", after={"airedSeason": 1, "airedEpisodeNumber": 6})], "episode S01E06 added"),
        ([Change(key=f"k_{n}", action="updated") for n in range(7)], "7 changes: k 0, k 1 and 5 more"),
        ([Change(key="entity", action="deleted")], "deleted"),
        ([Change(key="gap", action="created")], "a time is missing: the provider no longer has it"),
    ],
)  # fmt: skip
def test_changes_are_told_in_a_few_words(changes: list[Change], words: str) -> None:
    assert wording.change_words(document(changes=changes)) == words


@pytest.mark.parametrize(
    ("action", "words"), [("updated", "seen for the first time"), ("created", "created"), ("deleted", "deleted")]
)
def test_a_first_look_at_an_entity_is_told_as_one_unless_more_is_known(action: str, words: str) -> None:
    made = document(changes=[Change.model_validate({"key": "entity", "action": action})])
    made["data"]["enrichment"]["baseline"] = True
    assert wording.change_words(made) == words


def details(change: Change, **fields: Any) -> tuple[str, str | None, str | None]:
    made = document(changes=[change], **fields)
    return wording.detail_words(made, made["data"]["changes"][0])


def test_of_an_object_that_changed_only_what_differs_is_told() -> None:
    before = {"airedSeason": 1, "airedEpisodeNumber": 3, "episodeName": "Lord Snow", "overview": "A", "rating": 7}
    one = Change(key="episodes", action="updated", before=before, after={**before, "episodeName": "Snow"})
    assert details(one) == ("title of episode S01E03 updated", "Lord Snow", "Snow")
    two = Change(key="episodes", action="updated", before=before, after={**before, "overview": "B", "rating": 8})
    assert details(two) == ("episode S01E03 updated", "description: A, rating: 7", "description: B, rating: 8")


def test_of_long_texts_only_what_differs_is_told() -> None:
    before = "Fox Tales, from public television, in full, with everything that was cut from it."
    change = Change(key="overview", action="updated", before=before, after=before + " Not everyone will come back.")
    assert details(change)[1:] == ("… cut from it.", "… cut from it. Not everyone will come back.")
    change = Change(key="overview", action="updated", before=before, after=before.replace("public", "private"))
    assert details(change)[1:] == (
        "Fox Tales, from public television, in full, …",
        "Fox Tales, from private television, in full, …",
    )


def test_texts_that_differ_in_their_spaces_alone_stay_whole() -> None:
    before = "word " * 30
    assert details(Change(key="overview", action="updated", before=before, after=before.strip()))[1] == before.strip()


def test_of_a_picture_its_size_is_told_and_not_its_path() -> None:
    still = Image(kind="still", url="https://image.example/1.jpg", path="/1.jpg", width=1920, height=1080)
    assert details(image("added"), images=[still]) == ("still added", None, "1920 × 1080")
    assert details(image("added")) == ("still added", None, None)


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


SHOW = Parent(type="series", id="1", name="Nature")
OUTER = [Parent(type="franchise", id="0", name="Masterpiece"), SHOW]


@pytest.mark.parametrize(
    ("fields", "group"),
    [
        ({}, "Game of Thrones season 1"),
        ({"entity": "season", "parents": OUTER}, "Nature season 2"),
        ({"entity": "series", "name": "Nature", "parents": OUTER[:1]}, "Nature"),
        (
            {
                "entity": "asset",
                "parents": [*OUTER, Parent(type="season", id="2", number=4), Parent(type="episode", id="3", name="Fox Tales")],
            },
            "Nature season 4",
        ),
        ({"entity": "special", "parents": OUTER}, "Nature"),
        ({"entity": "movie", "parents": []}, None),
    ],
)
def test_a_digest_groups_by_show_and_season(fields: dict[str, Any], group: str | None) -> None:
    assert wording.series_name(document(**fields)) == group

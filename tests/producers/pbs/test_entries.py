"""One line of the changelog at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.interface import BrokenItem
from producers.pbs.entries import Entry, native_type, parse_entry, parse_time, shared_type

LINE: dict[str, Any] = {
    "id": "0f3c",
    "type": "special",
    "links": {"self": "https://media.example.org/api/v1/specials/0f3c/"},
    "attributes": {"action": "create", "timestamp": "2031-03-05T09:30:00.120000Z", "updated_fields": ["title"]},
}


def line(**changed: Any) -> dict[str, Any]:
    return {**LINE, **changed}


def attributes(**changed: Any) -> dict[str, Any]:
    return line(attributes={**LINE["attributes"], **changed})


def test_an_entry_is_read_whole() -> None:
    read = parse_entry(LINE)
    assert isinstance(read, Entry)
    assert read.event_id == "pbs:special:0f3c:create:2031-03-05T09:30:00.120000Z"
    assert read.time == datetime(2031, 3, 5, 9, 30, 0, 120000, tzinfo=UTC)
    assert read.url == "https://media.example.org/api/v1/specials/0f3c/"
    assert read.updated_fields == ("title",)


@pytest.mark.parametrize("links", [None, {}, {"self": None}, {"self": ""}, []])
def test_a_self_link_may_be_missing(links: object) -> None:
    read = parse_entry(line(links=links))
    assert isinstance(read, Entry)
    assert read.url is None


@pytest.mark.parametrize("fields", [None, [], "title"])
def test_updated_fields_may_be_missing(fields: object) -> None:
    read = parse_entry(attributes(updated_fields=fields))
    assert isinstance(read, Entry)
    assert read.updated_fields == ()


@pytest.mark.parametrize(
    ("kind", "shared"), [("Availability", "availability"), ("show", "series"), ("Show", "series"), ("reel", "reel")]
)
def test_unknown_types_pass_in_lower_case_and_keep_pbs_own_word(kind: str, shared: str) -> None:
    read = parse_entry(line(type=kind))
    assert isinstance(read, Entry)
    assert (read.entity.type, read.entity.native_type) == (shared, kind)


def test_words_are_turned_both_ways() -> None:
    assert native_type("series") == "show"
    assert native_type("Asset") == "asset"
    assert shared_type(native_type("series")) == "series"


@pytest.mark.parametrize("cid", [None, "", True, {}, []])
def test_an_entry_without_an_id_is_told_apart(cid: object) -> None:
    broken = parse_entry(line(id=cid))
    assert isinstance(broken, BrokenItem)
    assert broken.reason == "no-entity-id"


@pytest.mark.parametrize(
    "item",
    [
        None,
        "an entry",
        17,
        [],
        {"id": "a1", "type": "asset"},
        line(attributes=None),
        line(attributes={"action": "update"}),
        line(type=None),
        line(type=["asset"]),
        attributes(timestamp="yesterday"),
        attributes(timestamp=17),
        attributes(timestamp=None),
        attributes(action="burn"),
        attributes(action=["update"]),
    ],
)
def test_an_entry_that_can_not_be_read_is_given_back_as_it_came(item: object) -> None:
    broken = parse_entry(item)
    assert isinstance(broken, BrokenItem)
    assert broken.reason == "bad-item"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2031-03-05T09:30:00Z", datetime(2031, 3, 5, 9, 30, tzinfo=UTC)),
        ("2031-03-05T09:30:00.5Z", datetime(2031, 3, 5, 9, 30, 0, 500000, tzinfo=UTC)),
        ("2031-03-05T09:30:00", datetime(2031, 3, 5, 9, 30, tzinfo=UTC)),
        ("2031-03-05T04:30:00-05:00", datetime(2031, 3, 5, 9, 30, tzinfo=UTC)),
    ],
)
def test_times_come_with_and_without_microseconds_and_zone(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*LINE, "action", "timestamp", "self"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_the_item_is_reading_it_never_fails(item: object) -> None:
    assert isinstance(parse_entry(item), Entry | BrokenItem)


def test_updated_fields_have_the_words_of_the_document() -> None:
    read = parse_entry(attributes(updated_fields=["image", "availability", "title"]))
    assert isinstance(read, Entry)
    assert read.updated_fields == ("images", "availabilities", "title")

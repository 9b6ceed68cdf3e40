from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.config.providers import VOTES
from schemas.event import Action, Change, Entity
from streams.diff import appearance, differences
from streams.snapshots import State
from tests.streams.memory import image

NOW = datetime(2025, 1, 21, tzinfo=UTC)
values = st.none() | st.booleans() | st.integers(-5, 5) | st.text("xyz", max_size=3) | st.lists(st.integers(0, 3), max_size=2)


def state(fields=None, members=None, images=None):
    return State(Entity(type="series", native_type="show", id="1"), NOW, fields or {}, members or {}, images or {})


states = st.builds(
    state,
    st.dictionaries(st.sampled_from(["title", "overview", "status"]), values),
    st.dictionaries(
        st.sampled_from(["episodes", "actors"]),
        st.dictionaries(st.sampled_from("123"), st.integers(1, 5) | st.text("xyz", min_size=1, max_size=3), max_size=3),
    ),
    st.dictionaries(st.sampled_from(["/a.jpg", "/b.jpg"]), st.none(), max_size=2).map(lambda paths: {p: image(p) for p in paths}),
)


def applied(before: State, changes: list[Change]) -> tuple[dict, dict, set]:
    """What a consumer makes of the changes: it knows the state before, and needs nothing else."""
    fields = dict(before.fields)
    members = {key: dict(group) for key, group in before.members.items()}
    images = set(before.images)
    for change in changes:
        if change.key == "images":
            (images.discard if change.action is Action.DELETED else images.add)(change.native_id)
        elif change.native_id is not None:
            group = members.setdefault(change.key, {})
            group.pop(change.native_id, None)
            if change.action is not Action.DELETED:
                group[change.native_id] = change.after
        elif change.action is Action.DELETED:
            fields.pop(change.key)
        else:
            fields[change.key] = change.after
    return fields, {key: group for key, group in members.items() if group}, images


def known(fields: Mapping[str, object]) -> dict[str, object]:
    """A field that is null and one that is absent are the same to a reader of JSON."""
    return {key: value for key, value in fields.items() if value is not None}


@given(states, states)
def test_applying_the_changes_to_the_state_before_gives_the_state_after(before, after):
    fields, members, images = applied(before, differences(before, after))
    assert known(fields) == known(after.fields)
    assert members == {key: group for key, group in after.members.items() if group}
    assert images == set(after.images)


@given(states)
def test_a_state_does_not_differ_from_itself(same):
    assert differences(same, same) == []


def test_votes_for_an_image_are_no_change_but_its_language_is():
    old, voted, translated = image("/a.jpg"), image("/a.jpg").model_copy(update={"vote_count": 3}), image("/a.jpg", "de")
    assert differences(state(images={"/a.jpg": old}), state(images={"/a.jpg": voted}), VOTES) == []
    (change,) = differences(state(images={"/a.jpg": old}), state(images={"/a.jpg": translated}), VOTES)
    assert (change.key, change.action, change.language, change.native_id) == ("images", Action.UPDATED, "de", "/a.jpg")
    assert (change.before, change.after) == (old.model_dump(mode="json"), translated.model_dump(mode="json"))


def test_an_image_that_came_or_went_is_told_whole_on_its_side():
    one = image("/a.jpg")
    (came,) = differences(state(), state(images={"/a.jpg": one}))
    assert (came.action, came.before, came.after) == (Action.ADDED, None, one.model_dump(mode="json"))
    (went,) = differences(state(images={"/a.jpg": one}), state())
    assert (went.action, went.before, went.after) == (Action.DELETED, one.model_dump(mode="json"), None)


def test_what_is_volatile_is_no_change_at_any_depth_and_in_any_language_also_where_the_state_before_still_has_it():
    before = state(
        {"rating": 7.5, "rating@de": 7, "title": "Coast", "window": {"end": 1, "rating": 2}, "gone": 1},
        {"episodes": {"1": {"name": "One", "rating": 3}, "2": {"name": "Two", "rating": 3}}, "votes": {"1": {"by": "a"}}},
    )
    after = state(
        {"rating": 8.5, "rating@de": 8, "title": "Coast", "window": {"end": 2, "rating": 9}},
        {"episodes": {"1": {"name": "One"}, "2": {"name": "II", "rating": 5}}, "votes": {"1": {"by": "b"}}},
    )
    changes = differences(before, after, ("rating", "votes", "gone"))
    assert [(change.key, change.native_id, change.before, change.after) for change in changes] == [
        ("window", None, {"end": 1}, {"end": 2}),
        ("episodes", "2", {"name": "Two"}, {"name": "II"}),
    ]


def test_an_episode_that_came_is_one_change_with_its_id():
    (change,) = differences(state(), state(members={"episodes": {"184602": {"name": "My First Day"}}}))
    assert (change.key, change.action, change.native_id, change.before) == ("episodes", Action.ADDED, "184602", None)


def test_the_first_sight_of_an_entity_names_the_fields_that_the_provider_names():
    changes = appearance(Action.UPDATED, ["title", "availability"], state({"title": "Nature"}))
    assert [(change.key, change.before, change.after) for change in changes] == [
        ("title", None, "Nature"),
        ("availability", None, None),
    ]


def test_the_first_sight_of_an_entity_without_named_fields_is_a_change_of_the_entity():
    (change,) = appearance(Action.CREATED, [], state())
    assert (change.key, change.action) == ("entity", Action.CREATED)


def test_a_field_in_another_language_is_a_change_of_the_field_in_that_language():
    (change,) = differences(state({"overview@de": "alt"}), state({"overview@de": "neu"}))
    assert (change.key, change.language, change.before, change.after) == ("overview", "de", "alt", "neu")

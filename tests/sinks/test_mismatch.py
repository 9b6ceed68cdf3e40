from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from schemas.event import Change
from sinks.facts import Facts
from sinks.match import Rule
from sinks.mismatch import mismatch
from tests.sinks.rules import event_of, facts, rule_of, rules

ADDED_EN = Change(key="images", action="added", language="en")
UPDATED = Change(key="images", action="updated")
TITLE = Change(key="title", action="updated")
GAP = Change(key="gap", action="created")

FIELDS = {
    "provider": "providers",
    "entity": "entities",
    "key": "keys",
    "action": "actions",
    "language": "languages",
    "id": "ids",
    "within": "within",
}
"""As the config names them, and as a rule does."""
ANYTHING = Rule("s", None, None, None, None, None, None, None, unchanged=True, when=None)
EVERY_KEY = frozenset({"a", "b", "gap"})


@given(rules, facts)
def test_a_reason_is_given_exactly_where_the_event_is_not_wanted(rule: Rule, facts: Facts) -> None:
    assert (mismatch(rule, facts) is None) == rule.wants(facts)


@given(rules, facts)
def test_what_a_reason_names_is_enough_to_keep_the_event_out(rule: Rule, facts: Facts) -> None:
    reason = mismatch(rule, facts) or ""
    for name in re.findall(r"`match\.(\w+)` wants", reason):
        field = FIELDS[name]
        assert not replace(ANYTHING, **{field: getattr(rule, field)}).wants(facts)


@given(rules, facts)
def test_it_is_the_first_thing_that_does_not_fit(rule: Rule, facts: Facts) -> None:
    """What stands before it in the config's order lets the event through."""
    reason = mismatch(rule, facts) or ""
    named = re.search(r"`match\.(provider|entity|id|within)` wants", reason)
    order = ["provider", "entity", "id", "within"]
    before = order[: order.index(named[1])] if named else order if reason else []
    for name in before:
        assert replace(ANYTHING, **{FIELDS[name]: getattr(rule, FIELDS[name])}).wants(replace(facts, traits=()))


@given(rules, facts)
def test_changes_that_fit_only_together_are_told_where_each_field_alone_would_do(rule: Rule, facts: Facts) -> None:
    # a gap counts only for who names keys
    anything = replace(ANYTHING, keys=None if rule.keys is None else EVERY_KEY)
    if "together" in (mismatch(rule, facts) or ""):
        for field in ("keys", "actions", "languages"):
            assert replace(anything, **{field: getattr(rule, field)}).wants(facts)


@pytest.mark.parametrize(
    ("match", "changes", "reason"),
    [
        ({"provider": ["pbs", "tvdb"]}, [TITLE], "provider is tmdb; `match.provider` wants pbs or tvdb"),
        ({"entity": "movie"}, [TITLE], "entity is episode; `match.entity` wants movie"),
        ({"id": "tmdb:movie:550"}, [TITLE], "this is tmdb:episode:63057; `match.id` wants tmdb:movie:550"),
        (
            {"within": "tmdb:series:1"},
            [TITLE],
            "this is tmdb:episode:63057, in tmdb:series:1399 and tmdb:season:3624; `match.within` wants tmdb:series:1",
        ),
        ({}, [], "nothing differs (`changes` is empty); `match.unchanged: true` lets such events through"),
        ({}, [GAP], "a gap in a feed is told only to who names it: `match.key: gap`"),
        ({"key": "title"}, [GAP], "the change's key is gap; `match.key` wants title"),
        ({"key": "images"}, [TITLE], "the change's key is title; `match.key` wants images"),
        ({"action": "deleted"}, [ADDED_EN, TITLE], "the changes' actions are added and updated; `match.action` wants deleted"),
        ({"language": ["en", None]}, [ADDED_EN], None),
        ({"language": "en"}, [TITLE], "the change's language is null; `match.language` wants en"),
        (
            {"key": "images", "action": "added", "language": [None]},
            [TITLE, ADDED_EN, UPDATED],
            "no one change has key images, action added and language null together; closest: images, added, en",
        ),
        (
            {"key": "images", "action": "added", "language": "en"},
            [UPDATED, Change(key="name", action="added", language="en")],
            "no one change has key images, action added and language en together; closest: name, added, en",
        ),
        (
            {"provider": "pbs", "entity": "movie", "key": "images"},
            [TITLE],
            "provider is tmdb; `match.provider` wants pbs",
        ),
    ],
)
def test_the_first_thing_that_does_not_fit_is_told_in_the_configs_words(
    match: dict[str, Any], changes: list[Change], reason: str | None
) -> None:
    assert mismatch(rule_of(**match), event_of(*changes).facts) == reason


def test_an_entity_with_nothing_above_it_is_said_to_have_nothing() -> None:
    reason = mismatch(rule_of(within="tmdb:series:1"), event_of(TITLE, parents=[]).facts)
    assert reason == "this is tmdb:episode:63057, with nothing above it; `match.within` wants tmdb:series:1"


def test_of_very_many_names_the_first_are_told_and_the_rest_is_counted() -> None:
    reason = mismatch(rule_of(id=[f"tmdb:movie:{number}" for number in range(3000)]), event_of(TITLE).facts)
    assert reason is not None
    assert reason.endswith("wants tmdb:movie:0, tmdb:movie:1, tmdb:movie:10, tmdb:movie:100 or 2,996 more")

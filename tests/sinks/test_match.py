from __future__ import annotations

import sys
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import ManualClock
from schemas.event import Change
from sinks.directory import Directory
from sinks.event import Event, UnreadableEvent, read_event
from sinks.facts import Facts
from sinks.index import Index
from sinks.match import Rule
from tests.sinks.rules import event_of, facts, rule_of, rules, subscription
from tests.sinks.worlds import change_event


def wants(match: dict[str, Any], event: Event) -> bool:
    (rule,) = rules = [rule_of(**match)]
    found = Index(rules).matching(event.facts)
    assert bool(found) == rule.wants(event.facts)
    return bool(found)


ADDED_EN = Change(key="images", action="added", language="en")
DELETED_FR = Change(key="images", action="deleted", language="fr")
TITLE = Change(key="title", action="updated")


def test_one_change_must_satisfy_key_action_and_language_together() -> None:
    event = event_of(ADDED_EN, DELETED_FR)
    assert wants({"key": "images", "action": "added", "language": "en"}, event)
    assert not wants({"key": "images", "action": "added", "language": "fr"}, event)
    assert not wants({"action": "deleted", "language": "en"}, event)


def test_a_language_of_null_is_a_change_without_one() -> None:
    assert wants({"language": [None]}, event_of(TITLE))
    assert not wants({"language": [None]}, event_of(ADDED_EN))
    assert wants({"language": ["en", None]}, event_of(ADDED_EN))


def test_a_key_that_is_missing_matches_all() -> None:
    assert wants({}, event_of(TITLE))


@pytest.mark.parametrize(
    ("match", "wanted"),
    [
        ({"provider": "tmdb"}, True),
        ({"provider": ["pbs", "tvdb"]}, False),
        ({"entity": "episode"}, True),
        ({"entity": "series"}, False),
        ({"id": "tmdb:episode:63057"}, True),
        ({"id": "tmdb:series:1399"}, False),
        ({"within": "tmdb:series:1399"}, True),
        ({"within": "tmdb:season:3624"}, True),
        ({"within": "tmdb:episode:63057"}, True),
        ({"within": "tmdb:series:1400"}, False),
        ({"id": "tmdb:episode:63057", "within": "tmdb:series:1400"}, False),
    ],
)
def test_provider_entity_and_place(match: dict[str, Any], wanted: bool) -> None:
    assert wants(match, event_of(TITLE)) is wanted


def test_an_event_in_which_nothing_differs_is_for_those_who_ask() -> None:
    assert not wants({}, event_of())
    assert wants({"unchanged": True}, event_of())
    assert wants({"unchanged": True, "key": "images"}, event_of())
    assert not wants({"unchanged": True, "provider": "pbs"}, event_of())
    assert not wants({"unchanged": True, "key": "images"}, event_of(TITLE))


def test_a_gap_is_only_for_those_who_name_it() -> None:
    gap = event_of(Change(key="gap", action="created"))
    assert not wants({}, gap)
    assert not wants({"action": "created"}, gap)
    assert wants({"key": "gap"}, gap)
    assert wants({"key": ["title", "gap"]}, gap)


@given(st.lists(rules, max_size=6), facts)
def test_the_index_finds_exactly_the_rules_that_want_the_event(rules: list[Rule], facts: Facts) -> None:
    assert Index(rules).matching(facts) == [rule for rule in rules if rule.wants(facts)]


def test_a_rule_of_very_many_combinations_is_found_all_the_same() -> None:
    match = {"id": [f"tmdb:movie:{number}" for number in range(3000)], "key": ["images", "title"], "language": ["en", "fr", None]}
    assert wants({**match, "id": [*match["id"], "tmdb:episode:63057"]}, event_of(TITLE))


def test_subscriptions_that_do_not_match_cost_nothing() -> None:
    def calls(count: int) -> int:
        """Of functions, those in C among them, that it takes to look an event up."""
        index = Index(rule_of(f"s{n}", within=f"tmdb:series:{n}", key="images", language="xx") for n in range(count))
        made: list[str] = []
        sys.setprofile(lambda _frame, kind, _argument: made.append(kind))
        try:
            index.matching(facts)
        finally:
            sys.setprofile(None)
        return sum(kind in ("call", "c_call") for kind in made)

    facts = event_of(ADDED_EN, DELETED_FR, TITLE).facts
    assert calls(10_000) == calls(10) > 10


def test_only_candidates_reach_when_and_one_that_fails_is_no_match_and_counted() -> None:
    directory = Directory(
        [
            subscription("plain", key="title"),
            subscription("wide", 'event.data.entity.name == "The Kingsroad"'),
            subscription("broken", "event.data.nowhere.at.all == 1"),
            subscription("elsewhere", "event.data.nowhere.at.all == 1", provider="pbs"),
        ],
        ManualClock(),
    )
    assert directory.wanting(event_of(TITLE)) == ["plain", "wide"]
    assert directory.failed_whens == {"broken": 1}
    assert directory.wants("wide", event_of(TITLE))
    assert not directory.wants("broken", event_of(TITLE))


def test_a_subscription_without_when_never_touches_cel() -> None:
    """CEL can't take this event over: its numbers end at 64 bits. Only who asks CEL learns of that."""
    document = orjson.loads(change_event(changes=[TITLE]).to_json())
    document["data"]["changes"][0]["after"] = 2**70
    event = Event(b"", document)
    directory = Directory([subscription("plain"), subscription("asking", "event.id != ''")], ManualClock())
    assert directory.wanting(event) == ["plain"]
    assert directory.failed_whens == {"asking": 1}


def test_a_when_that_fails_is_shown_to_the_operator_once_a_minute_with_the_count(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    directory = Directory([subscription("broken", "event.data.nowhere == 1")], clock)
    for _ in range(50):
        assert directory.wanting(event_of(TITLE)) == []
    assert len(caplog.records) == 1
    assert "`when` of broken failed on event-63057-1, which counts as no match (1 so far): " in caplog.text
    clock.advance(61)
    directory.wanting(event_of(TITLE))
    assert "(51 so far)" in caplog.text


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"[]", b'{"data": 1}', b'{"data": {}}', orjson.dumps({"id": "1", "subject": "s", "data": {}})]
)
def test_a_record_that_is_no_change_event_says_so(value: bytes | None) -> None:
    with pytest.raises(UnreadableEvent):
        read_event(value)

"""Rules and what they look at, for the tests of matching: by hand, and of all kinds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas.config import Subscription
from schemas.event import Change
from sinks.event import Event, read_event
from sinks.facts import Facts, Trait
from sinks.match import Rule, compile_rule
from tests.sinks.worlds import change_event, webhook


def rule_of(name: str = "s", when: str | None = None, **match: Any) -> Any:
    return compile_rule(subscription(name, when, **match))


def subscription(name: str = "s", when: str | None = None, **match: Any) -> Subscription:
    return Subscription.model_validate(webhook(name, "http://x", match=match, when=when))


def event_of(*changes: Change, **fields: Any) -> Event:
    return read_event(change_event(changes=list(changes), **fields).to_json())


words = st.sampled_from(["a", "b", "gap"])
actions = st.sampled_from(["added", "deleted"])
languages = st.sampled_from(["en", "fr", None])
providers = st.sampled_from(["tmdb", "pbs"])


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.frozensets(values, min_size=1, max_size=2))


rules = st.builds(
    Rule,
    subscription=st.text(max_size=3),
    providers=some(providers),
    entities=some(words),
    keys=some(words),
    actions=some(actions),
    languages=some(languages),
    ids=some(words),
    within=some(words),
    unchanged=st.booleans(),
    when=st.none(),
)
facts = st.builds(
    lambda provider, entity, subject, above, traits: Facts(provider, entity, subject, (subject, *above), tuple(traits)),
    providers,
    words,
    words,
    st.lists(words, max_size=2),
    st.lists(st.builds(Trait, words, actions, languages), unique=True, max_size=3),
)

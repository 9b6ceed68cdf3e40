"""Why a subscription does not want an event: the first thing that does not fit, in the config's own words. Pure.

Beside `match`, and in its order: there is a reason exactly where `Rule.wants` says no. For operators who ask; the sinks never do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import NamedTuple

from schemas.event import GAP_KEY
from sinks.facts import Facts, Trait
from sinks.match import Rule

_MANY = 4
"""Of more values than these and one, the rest is told by number."""


class _Asked(NamedTuple):
    """One of the three that a change must satisfy together. `wanted` None: the config does not name it. `values`: of each change."""

    name: str
    wanted: Set[str | None] | None
    values: Sequence[str | None]

    def fits(self, number: int) -> bool:
        return self.wanted is None or self.values[number] in self.wanted


def mismatch(rule: Rule, facts: Facts) -> str | None:
    """One line; None where `match` wants the event. `when` is not asked here."""
    return next(_reasons(rule, facts), None)


def _reasons(rule: Rule, facts: Facts) -> Iterator[str]:
    if rule.providers is not None and facts.provider not in rule.providers:
        yield f"provider is {facts.provider}; {_wants('provider', rule.providers)}"
    if rule.entities is not None and facts.entity not in rule.entities:
        yield f"entity is {facts.entity or 'unknown'}; {_wants('entity', rule.entities)}"
    if rule.ids is not None and facts.subject not in rule.ids:
        yield f"this is {facts.subject}; {_wants('id', rule.ids)}"
    if rule.within is not None and rule.within.isdisjoint(facts.scopes):
        above = facts.scopes[1:]
        place = f"in {_listed(above, 'and')}" if above else "with nothing above it"
        yield f"this is {facts.subject}, {place}; {_wants('within', rule.within)}"
    if not facts.traits and not rule.unchanged:
        yield "nothing differs (`changes` is empty); `match.unchanged: true` lets such events through"
    if facts.traits and not rule.wants_any(facts.traits):
        yield _none_of(rule, facts.traits)


def _none_of(rule: Rule, traits: Sequence[Trait]) -> str:
    """Why no change satisfies key, action and language together."""
    told = [trait for trait in traits if rule.keys is not None or trait.key != GAP_KEY]
    if not told:
        return "a gap in a feed is told only to who names it: `match.key: gap`"
    asked = (
        _Asked("key", rule.keys, [trait.key for trait in told]),
        _Asked("action", rule.actions, [trait.action for trait in told]),
        _Asked("language", rule.languages, [trait.language for trait in told]),
    )
    for one in asked:
        if one.wanted is not None and one.wanted.isdisjoint(one.values):
            values = list(dict.fromkeys(one.values))
            whose = f"the change's {one.name} is" if len(values) == 1 else f"the changes' {one.name}s are"
            return f"{whose} {_listed(values, 'and')}; {_wants(one.name, one.wanted)}"
    together = [f"{one.name} {_listed(_in_order(one.wanted), 'or')}" for one in asked if one.wanted is not None]
    closest = max(range(len(told)), key=lambda number: _closeness([one.fits(number) for one in asked]))
    return f"no one change has {_joined(together, 'and')} together; closest: {', '.join(map(_word, told[closest]))}"


def _closeness(fits: Sequence[bool]) -> tuple[int, Sequence[bool]]:
    """The more fits the closer; of as many, the key tells more than the action, and that more than the language."""
    return sum(fits), fits


def _wants(name: str, values: Iterable[str | None]) -> str:
    return f"`match.{name}` wants {_listed(_in_order(values), 'or')}"


def _in_order(values: Iterable[str | None]) -> list[str]:
    """A compiled rule has no order of its own."""
    return sorted(map(_word, values))


def _word(value: str | None) -> str:
    return "null" if value is None else str(value)


def _listed(values: Sequence[str | None], conjunction: str) -> str:
    words = list(map(_word, values))
    if len(words) > _MANY + 1:
        words = [*words[:_MANY], f"{len(words) - _MANY:,} more"]
    return _joined(words, conjunction)


def _joined(words: Sequence[str], conjunction: str) -> str:
    if len(words) < 2:
        return words[0] if words else "nothing"
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"

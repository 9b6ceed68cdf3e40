"""The candidates for an event by a few dictionary look-ups, however many subscriptions there are.

Each rule is posted under the values that it names: provider, entity type, key, action, language and one scope (an entity's URN).
What it does not name stands as ANY. The *shapes* in use (which of the six are named) are few, so an event is looked up once for each
shape, each of its traits and each of its scopes: a cost that does not grow with rules that differ only in values.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any, Final

from sinks.facts import Facts, Trait
from sinks.match import Rule

ANY: Final = object()
"""Stands for what a rule does not name. None is a language of its own: a change that has none."""
_UNCHANGED: Final = "\0unchanged"

_MAX_POSTINGS = 10_000
"""A rule that names so many combinations is posted under fewer fields; the whole test follows anyway."""
_SPARED = (4, 3, 2)
"""Left out first where there are too many: language, action, key."""

Posting = tuple[Any, Any, Any, Any, Any, Any]
Shape = tuple[bool, bool, bool, bool, bool, bool]


class Index:
    """Immutable once made. `candidates` gives a superset, `matching` the exact answer of `match` in the rules' order."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = list(rules)
        self._postings: dict[Posting, list[int]] = {}
        shapes: dict[Shape, None] = {}
        for number, rule in enumerate(self.rules):
            for posting in _postings(rule):
                self._postings.setdefault(posting, []).append(number)
                shapes[_shape(posting)] = None
        self._shapes = list(shapes)

    def candidates(self, facts: Facts) -> list[int]:
        """Numbers of the rules that may want the event."""
        traits = facts.traits or (Trait(_UNCHANGED, _UNCHANGED, None),)
        lists: list[list[int]] = []
        find = self._postings.get
        for provider, entity, key, action, language, scope in self._shapes:
            head = (facts.provider if provider else ANY, facts.entity if entity else ANY)
            scopes = facts.scopes if scope else (ANY,)
            # several changes may look alike to this shape
            wanted = (
                traits
                if key and action and language
                else {(t[0] if key else ANY, t[1] if action else ANY, t[2] if language else ANY): None for t in traits}
            )
            for one in wanted:
                for place in scopes:
                    if found := find((*head, *one, place)):
                        lists.append(found)
        if len(lists) == 1:
            return lists[0]
        return sorted(set(itertools.chain.from_iterable(lists)))

    def matching(self, facts: Facts) -> list[Rule]:
        """The rules whose `match` wants the event; `when` is not asked here."""
        return [rule for number in self.candidates(facts) if (rule := self.rules[number]).wants(facts)]


def _postings(rule: Rule) -> Iterable[Posting]:
    fields: list[list[Any]] = [
        _values(rule.providers),
        _values(rule.entities),
        _values(rule.keys),
        _values(rule.actions),
        _values(rule.languages),
        _values(rule.ids if rule.ids is not None else rule.within),
    ]
    for spared in _SPARED:
        if math.prod(len(values) for values in fields) > _MAX_POSTINGS:
            fields[spared] = [ANY]
    yield from itertools.product(*fields)
    if rule.unchanged:
        head, scope = fields[:2], fields[5]
        yield from itertools.product(*head, [_UNCHANGED], [_UNCHANGED], [ANY], scope)


def _values(named: Iterable[Any] | None) -> list[Any]:
    return [ANY] if named is None else list(named)


def _shape(posting: Posting) -> Shape:
    return tuple(value is not ANY for value in posting)  # type: ignore[return-value]

"""Whether a subscription wants an event: the whole test, for the few candidates that the index leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.config import Match, Subscription
from schemas.config.expressions import BoundEvent, Expression, compile_when
from schemas.event import GAP_KEY
from sinks.facts import Facts, Trait


@dataclass(frozen=True, slots=True)
class Rule:
    """A subscription's `match` and `when`, compiled. None matches all."""

    subscription: str
    providers: frozenset[str] | None
    entities: frozenset[str] | None
    keys: frozenset[str] | None
    actions: frozenset[str] | None
    languages: frozenset[str | None] | None
    ids: frozenset[str] | None
    within: frozenset[str] | None
    unchanged: bool
    when: Expression | None

    def wants(self, facts: Facts) -> bool:
        """`match` alone."""
        return (
            (self.providers is None or facts.provider in self.providers)
            and (self.entities is None or facts.entity in self.entities)
            and (self.ids is None or facts.subject in self.ids)
            and (self.within is None or not self.within.isdisjoint(facts.scopes))
            and (self.wants_any(facts.traits) if facts.traits else self.unchanged)
        )

    def wants_any(self, traits: tuple[Trait, ...]) -> bool:
        return any(self.wants_trait(trait) for trait in traits)

    def wants_trait(self, trait: Trait) -> bool:
        """One change. A gap is news about the feed: only who names it gets it."""
        if self.keys is None:
            if trait.key == GAP_KEY:
                return False
        elif trait.key not in self.keys:
            return False
        return (self.actions is None or trait.action in self.actions) and (
            self.languages is None or trait.language in self.languages
        )

    def agrees(self, event: BoundEvent) -> bool:
        """`when`. Raises ExpressionError where that can't be told."""
        return self.when is None or self.when.matches(event)


def compile_rule(subscription: Subscription) -> Rule:
    """Raises ExpressionError when `when` does not compile."""
    match: Match = subscription.match
    if subscription.alerts_only:
        match = match.model_copy(update={"provider": []})
    return Rule(
        subscription=subscription.name,
        providers=_set(match.provider),
        entities=_set(match.entity),
        keys=_set(match.key),
        actions=_set(match.action),
        languages=None if match.language is None else frozenset(match.language),
        ids=_set(match.id),
        within=_set(match.within),
        unchanged=match.unchanged,
        when=None if subscription.when is None else compile_when(subscription.when),
    )


def _set(values: Sequence[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(str(value) for value in values)

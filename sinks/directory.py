"""Who wants an event: the compiled subscriptions. A `when` that fails on an event is no match, and is counted and told.

An alert is for those with `alerts: true`, but for the one that it is about: to tell a broken endpoint that it is broken leads nowhere.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from runtime.clock import Clock
from schemas.config import Subscription
from schemas.config.expressions import ExpressionError, bind
from sinks.event import Alert, Event
from sinks.index import Index
from sinks.match import Rule, compile_rule

log = logging.getLogger(__name__)

_TELL_EVERY_S = 60.0


class Directory:
    """`failed_whens`: by subscription, how many events its `when` failed on."""

    def __init__(self, subscriptions: Iterable[Subscription], clock: Clock) -> None:
        known = list(subscriptions)
        rules = [compile_rule(subscription) for subscription in known]
        self._told_alerts = [subscription.name for subscription in known if subscription.alerts]
        self._index = Index(rules)
        self._rules = {rule.subscription: rule for rule in rules}
        self._clock = clock
        self._told: dict[str, float] = {}
        self.failed_whens: Counter[str] = Counter()

    def wanting(self, event: Event) -> list[str]:
        """The names of the subscriptions that want the event."""
        if isinstance(event, Alert):
            return [name for name in self._told_alerts if name != event.about]
        return self._agreeing(event, self._index.matching(event.facts))

    def wants(self, subscription: str, event: Event) -> bool:
        """The same question for one subscription."""
        if isinstance(event, Alert):
            return subscription in self.wanting(event)
        rule = self._rules[subscription]
        return rule.wants(event.facts) and bool(self._agreeing(event, [rule]))

    def _agreeing(self, event: Event, rules: list[Rule]) -> list[str]:
        bound = None
        agreed = []
        for rule in rules:
            if rule.when is not None:
                bound = bound or bind(event.document, len(event.value))
                try:
                    if not rule.agrees(bound):
                        continue
                except ExpressionError as error:
                    self._failed(rule.subscription, event, error)
                    continue
            agreed.append(rule.subscription)
        return agreed

    def _failed(self, subscription: str, event: Event, error: ExpressionError) -> None:
        self.failed_whens[subscription] += 1
        now = self._clock.monotonic()
        if now >= self._told.get(subscription, 0.0):
            self._told[subscription] = now + _TELL_EVERY_S
            log.warning(
                "`when` of %s failed on %s, which counts as no match (%d so far): %s",
                subscription,
                event.id,
                self.failed_whens[subscription],
                error,
            )

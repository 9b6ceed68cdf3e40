"""Why the events of an entity were sent to subscriptions, or were not: what the topics say, read for the answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from changecast.deliveries.answers import Answer, Known, answer
from changecast.deliveries.attempts import KEPT, courses
from changecast.deliveries.endpoints import endpoint_states, sinks_run
from changecast.deliveries.matching import Seen, seen_in
from changecast.deliveries.newest import Newest
from changecast.deliveries.progress import progress_of
from changecast.deliveries.span import Report, Span, read_span
from runtime.kafka import Cluster
from schemas.config import Subscription
from schemas.config.expressions import BoundEvent, ExpressionError, bind
from sinks.event import Event
from sinks.match import Rule, compile_rule
from sinks.mismatch import mismatch
from sinks.signing import webhook_id
from sinks.wording import cut

_EXPRESSION_CHARS = 100
_CLOCKS_APART = timedelta(minutes=1)
"""An attempt comes after its event, but perhaps by the clock of another machine."""
_ALERTS_ONLY = "it gets alerts and no changes: it has `alerts: true`, and neither `match` nor `when`"


@dataclass(frozen=True)
class Found:
    """`newest`: oldest first. `count`: how many there are in the span. `unreadable`: records of the entity that are no events."""

    newest: Sequence[Seen]
    count: int
    unreadable: int


@dataclass(frozen=True)
class Told:
    """An event, and what became of it at each subscription."""

    seen: Seen
    answers: Sequence[Answer]


async def events_of(cluster: Cluster, named: str, providers: Iterable[str], span: Span, limit: int, report: Report) -> Found:
    """The newest events of the entity with this URN, or those with this id."""
    key, header = named.encode(), ("ce_id", named.encode())
    found: Newest[Seen] = Newest(limit)
    unreadable = 0
    topics = [cluster.topics.changes(provider).name for provider in providers]
    async for record in read_span(cluster, topics, span, report):
        # by key and header: the others need not be parsed
        if record.key != key and header not in record.headers:
            continue
        if (seen := seen_in(record)) is None:
            unreadable += 1
        else:
            found.add(seen.at, seen)
    return Found(found.kept, found.count, unreadable)


async def told(cluster: Cluster, subscriptions: Sequence[Subscription], events: Sequence[Seen], report: Report) -> list[Told]:
    """Each of the events (at least one) with its answers, in the order of `subscriptions`."""
    now = datetime.now(UTC)
    names = [subscription.name for subscription in subscriptions]
    ids = [webhook_id(seen.event.id, name) for seen in events for name in names]
    attempted = Span(max(min(seen.at for seen in events) - _CLOCKS_APART, now - KEPT))
    # before the attempts: what is settled by then has one on record a moment later
    progress = await progress_of(cluster, names, events)
    known = Known(
        states=await endpoint_states(cluster),
        courses=await courses(cluster, ids, report, attempted),
        progress=progress,
        run=await sinks_run(cluster),
    )
    rules = [compile_rule(subscription) for subscription in subscriptions]
    found = []
    for seen in events:
        reasons = zip(subscriptions, refusals(subscriptions, rules, seen.event), strict=True)
        found.append(Told(seen, [answer(subscription, seen, refusal, known, now) for subscription, refusal in reasons]))
    return found


def refusals(subscriptions: Sequence[Subscription], rules: Sequence[Rule], event: Event) -> list[str | None]:
    """Why each does not want the event, by `match` and `when`; None where it does."""
    bound: BoundEvent | None = None
    found = []
    for subscription, rule in zip(subscriptions, rules, strict=True):
        refusal = _ALERTS_ONLY if subscription.alerts_only else mismatch(rule, event.facts)
        if refusal is None and rule.when is not None:
            bound = bound or bind(event.document, len(event.value))
            refusal = _when_refuses(rule, bound)
        found.append(refusal)
    return found


def _when_refuses(rule: Rule, bound: BoundEvent) -> str | None:
    assert rule.when is not None
    try:
        if rule.agrees(bound):
            return None
    except ExpressionError as error:
        return f"`when` failed, which counts as no match: {error}"
    return f"`when` is false: {cut(' '.join(rule.when.text.split()), _EXPRESSION_CHARS)}"

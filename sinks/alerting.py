"""Whether operators are told of an endpoint now, and what of. Pure: time is an argument, and what was told a value."""

from __future__ import annotations

from datetime import datetime, timedelta

from schemas.alert import ALERT_TYPE, AlertData, AlertEvent, AlertKind, DeadDeliveries, LastDead, Told
from schemas.delivery import EndpointState
from sinks.answer import Kind
from sinks.outage import disables_at
from sinks.wording import length_words

LEVELS = (50, 75)
"""Percent of the time after which an endpoint that only fails is disabled. At 100 it is, which is told as that."""


def level_reached(failing: timedelta, disable_after: timedelta) -> int:
    """The highest level that so long an outage has come to; 0 for none."""
    return max((level for level in LEVELS if failing * 100 >= disable_after * level), default=0)


def with_dead(told: Told, dead: LastDead) -> Told:
    """One more delivery has been given up."""
    before = told.dead
    first, count = (dead.webhook_id, 0) if before is None else (before.first, before.count)
    return told.model_copy(update={"dead": DeadDeliveries(count=count + 1, first=first, last=dead)})


def due(told: Told, state: EndpointState, now: datetime, every: timedelta) -> AlertKind | None:
    """What is to be told now; None for nothing. Within `every` of the last alert nothing is: then the gravest of what still holds is
    told, and the rest with it."""
    if told.at is not None and now - told.at < every:
        return None
    if state.disabled_at is not None and state.disabled_at != told.disabled_at:
        return AlertKind.DISABLED
    if state.failing_since is not None and state.disabled_at is None:
        known = told.failing_percent if told.failing_since == state.failing_since else 0
        if state.failing_percent > known:
            return AlertKind.FAILING
    if state.stuck_since is not None and state.disabled_at is None and state.stuck_since != told.stuck_since:
        return AlertKind.STUCK
    return AlertKind.DEAD if told.dead is not None else None


def told_now(told: Told, state: EndpointState, now: datetime) -> Told:
    """An alert tells all that there is."""
    return Told(
        subscription=told.subscription,
        at=now,
        failing_since=state.failing_since,
        failing_percent=state.failing_percent,
        disabled_at=state.disabled_at,
        stuck_since=state.stuck_since,
    )


def alert(
    kind: AlertKind, told: Told, state: EndpointState, endpoint: Kind, now: datetime, disable_after: timedelta
) -> AlertEvent:
    """`told`: before this alert."""
    name = told.subscription
    return AlertEvent(
        id=f"alert:{name}:{kind}:{_occasion(kind, told, state)}",
        type=f"{ALERT_TYPE}{kind}",
        subject=f"changecast:endpoint:{name}",
        time=now,
        data=AlertData(
            subscription=name,
            endpoint=endpoint,
            summary=f"The endpoint of {name} {_words(kind, told, state, now, disable_after)}.",
            remedy=_remedy(kind, name),
            failing_since=state.failing_since,
            failing_percent=state.failing_percent,
            disables_at=disables_at(state, disable_after),
            disabled_at=state.disabled_at,
            disabled_reason=state.disabled_reason,
            dead=told.dead,
        ),
    )


def _occasion(kind: AlertKind, told: Told, state: EndpointState) -> str:
    """What tells one alert of a kind from another, and is the same for all who find it."""
    if kind is AlertKind.DISABLED:
        assert state.disabled_at is not None
        return state.disabled_at.isoformat()
    if kind is AlertKind.FAILING:
        assert state.failing_since is not None
        return f"{state.failing_since.isoformat()}:{state.failing_percent}"
    if kind is AlertKind.STUCK:
        assert state.stuck_since is not None
        return state.stuck_since.isoformat()
    assert told.dead is not None
    return told.dead.first


def _words(kind: AlertKind, told: Told, state: EndpointState, now: datetime, disable_after: timedelta) -> str:
    if kind is AlertKind.DISABLED:
        return f"is disabled: {state.disabled_reason}"
    if kind is AlertKind.FAILING:
        assert state.failing_since is not None
        since = now - state.failing_since
        return f"has only failed for {length_words(since)}, and is disabled after {length_words(disable_after)} of that"
    if kind is AlertKind.STUCK:
        assert state.stuck_since is not None
        return f"is stuck: deliveries have been due for {length_words(now - state.stuck_since)}, and none has been attempted"
    assert told.dead is not None
    count, last = told.dead.count, told.dead.last
    what = "one delivery" if count == 1 else f"{count:,} deliveries"
    return f"did not take {what}, given up after the last attempt: {last.error}"


def _remedy(kind: AlertKind, name: str) -> str:
    if kind is AlertKind.DISABLED:
        return f"changecast endpoints enable {name}"
    if kind is AlertKind.FAILING:
        return f"changecast deliveries list --subscription {name} --since 7d"
    if kind is AlertKind.STUCK:
        return "changecast endpoints list"
    return f"changecast deliveries retry --subscription {name} --outcome dead"

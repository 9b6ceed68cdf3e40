"""Who is told an alert: whoever asked for alerts, but not the endpoint that it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.clock import ManualClock
from schemas.alert import AlertKind, Told
from schemas.config import Subscription
from schemas.delivery import EndpointState
from sinks.alerting import alert
from sinks.directory import Directory
from sinks.event import Event, read_event
from tests.sinks.worlds import SECRET, change_event

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)


def told(name: str, **fields: Any) -> Subscription:
    webhook = {"url": "https://receiver.example/", "secret": SECRET}
    return Subscription.model_validate({"name": name, "webhook": webhook, "alerts": True, **fields})


def alert_about(name: str) -> Event:
    """It fails, and is delivered to all the same."""
    state = EndpointState(subscription=name, since=NOON, failing_since=NOON, failing_percent=50)
    now, after = NOON + timedelta(days=3), timedelta(days=5)
    return read_event(alert(AlertKind.FAILING, Told(subscription=name), state, "webhook", now, after).to_json())


@pytest.mark.parametrize("fields", [{}, {"match": {"key": "images"}}])
def test_an_endpoint_is_told_what_is_wrong_with_the_others_and_not_with_itself(fields: dict[str, Any]) -> None:
    directory = Directory([told("ops", **fields), told("room", **fields), told("deaf", alerts=False)], ManualClock())
    assert directory.wanting(alert_about("ops")) == ["room"]
    assert directory.wanting(alert_about("deaf")) == ["ops", "room"]
    # the same where a subscription reads on at its own cursor
    assert not directory.wants("ops", alert_about("ops"))
    assert directory.wants("room", alert_about("ops"))
    assert not directory.wants("deaf", alert_about("ops"))


def test_who_asked_for_alerts_alone_gets_no_changes() -> None:
    directory = Directory([told("ops"), told("both", match={"key": "images"})], ManualClock())
    assert directory.wanting(read_event(change_event().to_json())) == ["both"]

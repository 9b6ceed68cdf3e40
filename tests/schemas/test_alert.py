from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
from jsonschema import Draft202012Validator

from schemas.alert import AlertData, AlertEvent, DeadDeliveries, LastDead
from schemas.export import alert_schema

NOW = datetime(2025, 1, 21, 12, tzinfo=UTC)


def event(**fields: object) -> AlertEvent:
    last = LastDead(webhook_id="msg_1", event_id="e1", subject="tmdb:movie:1", attempts=10, error="status 503", at=NOW)
    data = {
        "subscription": "newsroom",
        "endpoint": "slack",
        "summary": "The endpoint of newsroom is disabled: status 410.",
        "remedy": "changecast endpoints enable newsroom",
        "failing_since": NOW - timedelta(days=5),
        "failing_percent": 100,
        "disables_at": None,
        "disabled_at": NOW,
        "disabled_reason": "status 410",
        "dead": DeadDeliveries(count=2, first="msg_0", last=last),
    }
    return AlertEvent(
        id="alert:newsroom:endpoint.disabled:1",
        type="changecast.alert.endpoint.disabled",
        subject="changecast:endpoint:newsroom",
        time=NOW,
        data=AlertData.model_validate({**data, **fields}),
    )


def test_the_schema_accepts_what_the_model_writes_and_fields_of_later_versions() -> None:
    validator = Draft202012Validator(alert_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    for made in (event(), event(dead=None, failing_since=None)):
        document = orjson.loads(made.to_json())
        assert list(validator.iter_errors(document)) == []
        assert AlertEvent.model_validate(document) == made
        assert list(validator.iter_errors({**document, "specversion": "0.3"}))
        later = {**document, "data": {**document["data"], "more": 1}}
        assert list(validator.iter_errors(later)) == []
        assert AlertEvent.model_validate(later) == made


def test_an_alert_is_a_cloudevent_with_its_headers() -> None:
    headers = dict(event().kafka_headers())
    assert headers["ce_type"] == b"changecast.alert.endpoint.disabled"
    assert headers["ce_subject"] == b"changecast:endpoint:newsroom"
    assert headers["ce_source"] == b"urn:changecast:sinks"


def test_every_field_of_an_alert_is_described() -> None:
    for definition in (alert_schema(), *alert_schema()["$defs"].values()):
        for name, field in definition["properties"].items():
            assert field.get("description"), name

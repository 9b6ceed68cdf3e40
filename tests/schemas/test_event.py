"""The change event, its bytes, and the JSON Schema that the world validates it with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.event import (
    LATER_FIELDS,
    MAX_IMAGES,
    Action,
    Change,
    ChangeEvent,
    Entity,
    Image,
    ObservedEvent,
    Parent,
    Status,
    event_type,
    source,
)
from schemas.export import change_schema, config_schema

SCHEMA = change_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=10)
NAME = TEXT.filter(bool)
INTEGERS = st.integers(min_value=-(2**53), max_value=2**53)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)
TIMES = st.datetimes(
    timezones=st.just(UTC) | st.just(timezone(timedelta(hours=2))), min_value=datetime(1970, 1, 2), max_value=datetime(9000, 1, 1)
)
EVENTS = st.fixed_dictionaries(
    {
        "id": NAME,
        "source": NAME,
        "type": NAME,
        "subject": NAME,
        "time": TIMES,
        "data": st.fixed_dictionaries(
            {
                "provider": NAME,
                "entity": st.builds(
                    Entity,
                    name=st.none() | TEXT,
                    parents=st.lists(st.builds(Parent, number=st.none() | INTEGERS), max_size=2),
                    external_ids=st.dictionaries(TEXT, TEXT, max_size=2),
                ),
                "changes": st.lists(st.builds(Change, before=JSON, after=JSON, language=st.none() | TEXT), max_size=3),
                "images": st.lists(st.builds(Image, width=st.none() | INTEGERS, aspect_ratio=st.none() | FLOATS), max_size=2),
                "enrichment": st.fixed_dictionaries(
                    {"status": st.sampled_from(Status), "fetched_at": st.none() | TIMES, "baseline": st.booleans()}
                ),
                "observed_at": TIMES,
            }
        ),
    }
).map(ChangeEvent.model_validate)  # fmt: skip


def event() -> ChangeEvent:
    return ChangeEvent.model_validate(
        {
            "id": "e1",
            "source": source("tmdb"),
            "type": "changecast.tmdb.episode.images.added",
            "subject": "tmdb:episode:5480121",
            "time": "2025-01-21T04:46:31Z",
            "data": {
                "provider": "tmdb",
                "entity": {
                    "type": "episode",
                    "native_type": "tv_episode",
                    "id": "5480121",
                    "parents": [{"type": "series", "id": "1399"}],
                },
                "changes": [{"key": "images", "action": "added", "after": {"still": {"file_path": "/a.jpg"}}}],
                "images": [{"kind": "still", "url": "https://example.org/a.jpg", "path": "/a.jpg"}],
                "enrichment": {"status": "complete", "fetched_at": "2025-01-21T04:46:40.5Z"},
                "observed_at": "2025-01-21T04:46:33Z",
            },
        }
    )


@given(EVENTS)
def test_the_schema_accepts_every_event_that_the_model_writes(made: ChangeEvent) -> None:
    VALIDATOR.validate(orjson.loads(made.to_json()))


def test_an_event_reads_back_as_it_was_written() -> None:
    assert ChangeEvent.model_validate_json(event().to_json()) == event()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The event with one value replaced; `...` takes it out."""
    document: dict[str, Any] = orjson.loads(event().to_json())
    *parents, last = (int(part) if part.isdecimal() else part for part in path.split("."))
    place: Any = document
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("specversion", "0.3"),
        ("id", ""),
        ("id", ...),
        ("time", "2025-01-21 04:46:31"),
        ("time", "2025-01-21T04:46:31+00:00"),
        ("time", None),
        ("dataschema", "urn:changecast:schema:change:2"),
        ("data", None),
        ("data.entity.id", 5),
        ("data.entity.name", ...),
        ("data.entity.external_ids", {"a": 1}),
        ("data.changes", None),
        ("data.changes.0.action", "removed"),
        ("data.changes.0.before", ...),
        ("data.images.0.width", "wide"),
        ("data.images", [orjson.loads(event().to_json())["data"]["images"][0]] * (MAX_IMAGES + 1)),
        ("data.enrichment.status", "fine"),
        ("data.enrichment.baseline", None),
    ],
)
def test_the_schema_rejects_anything_else(path: str, value: Any) -> None:
    assert not VALIDATOR.is_valid(changed(path, value))


@pytest.mark.parametrize("path", ["extension", "data.more", "data.entity.parents.0.more", "data.changes.0.more"])
def test_fields_of_a_later_version_are_accepted_and_ignored(path: str) -> None:
    later = changed(path, {"any": "value"})
    assert VALIDATOR.is_valid(later)
    assert ChangeEvent.model_validate(later) == event()


@pytest.mark.parametrize("path", ["data.changes.0.native_action", "data.images.0.season"])
def test_events_from_before_a_field_was_added_are_still_valid(path: str) -> None:
    assert VALIDATOR.is_valid(changed(path, ...))
    assert ChangeEvent.model_validate(changed(path, ...)) == event()


def test_the_schema_describes_every_field() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == event().dataschema
    for model in (SCHEMA, *SCHEMA["$defs"].values()):
        if model.get("type") == "object":
            assert model["required"] == [name for name in model["properties"] if name not in LATER_FIELDS]
            assert all(field.get("description") for field in model["properties"].values())


def test_the_configs_schema_is_one() -> None:
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    config = Draft202012Validator(schema)
    config.validate(
        {
            "delivery": {"timeout": "5s"},
            "subscriptions": [{"name": "a", "from": "24h", "match": {"provider": "tmdb", "language": None}}],
        }
    )
    assert not config.is_valid({"delivery": {"timeout": 5}})
    assert not config.is_valid({"deliveries": {}})
    assert schema["$defs"]["Delivery"]["properties"]["retry_schedule"]["default"][:3] == ["5s", "5m", "30m"]


def test_times_are_written_in_utc() -> None:
    elsewhere = datetime(2025, 1, 21, 6, 46, 31, 5000, tzinfo=timezone(timedelta(hours=2)))
    made = ChangeEvent.model_validate({**event().model_dump(), "time": elsewhere})
    assert orjson.loads(made.to_json())["time"] == "2025-01-21T04:46:31.005000Z"


def test_the_headers_repeat_what_a_filter_needs() -> None:
    assert dict(event().kafka_headers()) == {
        "content-type": b"application/cloudevents+json",
        "ce_specversion": b"1.0",
        "ce_id": b"e1",
        "ce_type": b"changecast.tmdb.episode.images.added",
        "ce_source": b"urn:changecast:tmdb",
        "ce_subject": b"tmdb:episode:5480121",
        "ce_time": b"2025-01-21T04:46:31Z",
    }


def test_the_type_ends_in_the_only_change_or_in_the_entitys_action() -> None:
    images = Change(key="images", action=Action.ADDED)
    assert event_type("tmdb", "movie", [images], Action.UPDATED) == "changecast.tmdb.movie.images.added"
    assert event_type("tmdb", "movie", [images, images], Action.UPDATED) == "changecast.tmdb.movie.entity.updated"
    assert event_type("pbs", "asset", [], Action.CREATED) == "changecast.pbs.asset.entity.created"


def test_an_observed_event_is_no_change_event() -> None:
    observed = ObservedEvent.model_validate(
        {
            **{key: value for key, value in event().model_dump().items() if key not in ("data", "dataschema")},
            "data": {"provider": "tmdb", "entity": event().data.entity, "action": "updated", "observed_at": event().time},
        }
    )
    assert ObservedEvent.model_validate_json(observed.to_json()) == observed
    assert not VALIDATOR.is_valid(orjson.loads(observed.to_json()))

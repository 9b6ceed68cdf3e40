"""Any JSON in the changes: either it is refused with a reason, or everything that the sinks do with an event works on it."""

from __future__ import annotations

import copy
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import ManualClock
from schemas.alert import AlertData, AlertEvent
from schemas.config import Subscription
from sinks import lag as lags
from sinks.directory import Directory
from sinks.event import Alert, Event, NewerEvent, UnreadableEvent, read_event
from sinks.parcel import NewerParcel, Parcel, UnreadableParcel, read_parcel
from sinks.slack_alerts import alert_message
from sinks.slack_blocks import digest_of, message_of
from sinks.thin import thin
from sinks.tracker import Position
from tests.sinks.worlds import change_event, webhook

CHANGE: dict[str, Any] = orjson.loads(change_event().to_json())
IMAGE = {"kind": "still", "url": "https://x.example/a.jpg", "path": "/a.jpg", "width": 100, "height": 50}
CHANGE["data"]["images"] = [IMAGE]
CHANGE["data"]["changes"] += [
    {"key": "images", "action": "deleted", "language": None, "before": {"still": {"file_path": "/a.jpg"}}, "after": None},
    {"key": "overview", "action": "updated", "before": "a" * 80, "after": "b" * 80},
    {"key": "episodes", "action": "added", "after": {"airedSeason": 1, "airedEpisodeNumber": 2}},
]
ALERT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "alert:1",
    "source": "urn:changecast:sinks",
    "type": "changecast.alert.delivery.dead",
    "subject": "changecast:endpoint:hook",
    "time": "2025-01-21T00:00:00Z",
    "data": {
        "subscription": "hook", "endpoint": "webhook", "summary": "s", "remedy": "r", "failing_since": "2025-01-21T00:00:00Z",
        "failing_percent": 50, "disables_at": "2025-01-21T00:00:00Z", "disabled_at": None, "disabled_reason": None, "dead": None,
    },
}  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "images", "deleted"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "id", "type", "name", "x"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
SUBSCRIPTIONS = [
    Subscription.model_validate(webhook("all", "https://x.example/")),
    Subscription.model_validate(
        webhook("some", "https://x.example/", match={"language": ["en", None], "within": "tmdb:series:1"})
    ),
    Subscription.model_validate(webhook("when", "https://x.example/", when="event.data.images.exists(i, i.width > 1)")),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def changed(document: Any, path: tuple[Any, ...], value: Any, remove: bool) -> Any:
    if not path:
        return value
    made = copy.deepcopy(document)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    if remove:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return made


def used(event: Event) -> None:
    """All that the sinks do with an event."""
    Directory(SUBSCRIPTIONS, ManualClock()).wanting(event)
    assert isinstance(event.name + event.change + event.group + event.teller, str)
    assert event.subject.encode() is not None
    _ = event.url
    if isinstance(event, Alert):
        alert_message(event)
    else:
        message_of(event)
        thin(event.document, "why")
    digest_of([event, event])


@given(st.data())
def test_a_record_is_refused_with_a_reason_or_goes_through_everything(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from([CHANGE, ALERT]))
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(places(document)))
        document = changed(document, path, data.draw(ANY), data.draw(st.booleans()))
    try:
        event = read_event(json.dumps(document).encode())
    except UnreadableEvent as error:
        assert str(error)
        return
    used(event)


@given(ANY | st.binary(max_size=40))
def test_any_json_and_any_bytes_are_no_event(value: Any) -> None:
    with pytest.raises(UnreadableEvent):
        read_event(value if isinstance(value, bytes) else json.dumps(value).encode())


def test_a_value_that_is_nested_too_deeply_is_refused() -> None:
    document = changed(CHANGE, ("data", "changes", 0, "after"), None, remove=False)
    text = json.dumps(document).replace('"after": null', '"after": ' + "[" * 900 + "]" * 900, 1)
    with pytest.raises(UnreadableEvent, match="nested too deeply"):
        read_event(text.encode())


@pytest.mark.parametrize("document", [CHANGE, ALERT])
def test_fields_of_a_newer_version_are_ignored_and_a_newer_form_is_known(document: dict[str, Any]) -> None:
    kind = "alert" if document is ALERT else "change"
    wider = {**document, "sequence": 7, "data": {**document["data"], "mood": {"good": True}}}
    used(read_event(orjson.dumps({**wider, "dataschema": f"urn:changecast:schema:{kind}:1"})))
    with pytest.raises(NewerEvent, match=f"{kind}:2 was written by a newer version"):
        read_event(orjson.dumps({"dataschema": f"urn:changecast:schema:{kind}:2", "payload": 1}))


def test_an_alert_of_a_kind_that_is_not_known_is_an_alert() -> None:
    assert isinstance(read_event(orjson.dumps({**ALERT, "type": "changecast.alert.of.tomorrow"})), Alert)
    assert AlertData.model_validate({**ALERT["data"], "new": 1}).subscription == "hook"
    assert AlertEvent.model_fields["type"].annotation is str


HEADERS = Parcel("hook", b"{}", 1, 5.0, "changecast.changes.tmdb", 0, 7).headers()


@given(st.lists(st.tuples(st.sampled_from([name for name, _ in HEADERS]), st.none() | st.binary(max_size=12)), max_size=12))
def test_any_headers_are_a_retry_or_are_refused(pairs: list[tuple[str, bytes | None]]) -> None:
    try:
        parcel = read_parcel(b"{}", [*HEADERS, *pairs])
    except (UnreadableParcel, NewerParcel):
        return
    parcel.placed(10.0)
    read_parcel(parcel.value, parcel.headers())


@pytest.mark.parametrize(
    ("name", "value"), [("changecast-due", b"inf"), ("changecast-ready", b"nan"), ("changecast-attempts", b"-1")]
)
def test_times_and_numbers_that_cannot_be_are_no_retry(name: str, value: bytes) -> None:
    with pytest.raises(UnreadableParcel):
        read_parcel(b"{}", [*HEADERS, (name, value)])


def test_a_retry_of_the_first_version_and_with_more_headers_is_read_and_one_of_a_newer_is_known() -> None:
    first = [pair for pair in HEADERS if pair[0] != "changecast-version"]
    assert read_parcel(b"{}", [*first, ("changecast-mood", b"good")]) == read_parcel(b"{}", HEADERS)
    with pytest.raises(NewerParcel):
        read_parcel(b"{}", [("changecast-version", b"2")])


CURSOR: dict[str, Any] = orjson.loads(lags.Lag("hook", "changes", lags.Tracker(3)).to_json())


@given(st.sampled_from([*CURSOR, "other"]), ANY, st.booleans())
def test_a_cursor_is_restored_or_refused(name: str, value: Any, remove: bool) -> None:
    document = {key: one for key, one in {**CURSOR, name: value}.items() if not (remove and key == name)}
    try:
        found = lags.restore(json.dumps(document).encode(), {"changes": Position(5, 9)})
    except (ValueError, lags.NewerCursor):
        return
    found.to_json()


@given(st.binary(max_size=60))
def test_any_bytes_are_a_cursor_or_are_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        lags.restore(value, {})


def test_a_cursor_of_the_first_version_is_read_and_one_of_a_newer_is_known() -> None:
    first = {key: value for key, value in CURSOR.items() if key != "version"}
    assert lags.restore(orjson.dumps({**first, "mood": 1}), {}).tracker.position == 3
    with pytest.raises(lags.NewerCursor):
        lags.restore(orjson.dumps({"version": 2, "place": "x"}), {})

from __future__ import annotations

from datetime import UTC, datetime

from schemas.event import Entity
from streams.snapshots import Snapshot, State
from tests.streams.memory import image

NOW = datetime(2025, 1, 21, 4, 46, 31, 123456, tzinfo=UTC)


def state(title: str) -> State:
    entity = Entity(type="series", native_type="show", id="1", name=title)
    return State(entity, NOW, {"title": title}, {"episodes": {"7": {"number": 1}}}, {"/a.jpg": image("/a.jpg")}, "/a.jpg")


def test_a_snapshot_survives_being_packed():
    snapshot = Snapshot(12, state("after"), state("before"))
    assert Snapshot.unpack(snapshot.pack()) == snapshot
    assert Snapshot.unpack(Snapshot(3, None, None).pack()) == Snapshot(3, None, None)


def test_the_position_that_wrote_a_snapshot_is_compared_with_what_it_replaced():
    snapshot = Snapshot(12, state("after"), state("before"))
    assert snapshot.at(12) == state("before")


def test_any_later_position_is_compared_with_the_snapshot():
    snapshot = Snapshot(12, state("after"), state("before"))
    assert snapshot.at(13) == state("after")


def test_the_document_of_a_state_holds_fields_members_and_images():
    document = state("Nature").document()
    assert document["title"] == "Nature"
    assert document["episodes"] == [{"number": 1}]
    assert document["images"][0]["path"] == "/a.jpg"

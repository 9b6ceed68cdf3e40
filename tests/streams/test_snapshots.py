from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import UTC, datetime

import orjson

from schemas.event import Entity
from streams.snapshots import State
from tests.streams.memory import image

NOW = datetime(2025, 1, 21, 4, 46, 31, 123456, tzinfo=UTC)


def state(title: str) -> State:
    entity = Entity(type="series", native_type="show", id="1", name=title)
    return State(entity, NOW, {"title": title}, {"episodes": {"7": {"number": 1}}}, {"/a.jpg": image("/a.jpg")}, "/a.jpg")


def test_a_state_survives_being_packed():
    assert State.unpack(state("Nature").pack()) == state("Nature")


def test_a_state_is_packed_with_its_parser_and_languages():
    packed = replace(state("Nature"), parser_version=3, languages=("en", "de"))
    assert State.unpack(packed.pack()) == packed


def test_a_state_from_before_parser_and_languages_were_kept_is_read():
    document = orjson.loads(zlib.decompress(state("Nature").pack()))
    del document["parser_version"], document["languages"]
    old = State.unpack(zlib.compress(orjson.dumps(document)))
    assert (old.parser_version, old.languages) == (1, None)


def test_what_a_partial_state_lacks_is_taken_from_the_one_before():
    before = state("Nature")
    after = State(before.entity, NOW, {"title": "Nature II"}, {"episodes": {"8": {"number": 2}}}).filled_from(before)
    assert after.fields == {"title": "Nature II"}
    assert after.members == {"episodes": {"7": {"number": 1}, "8": {"number": 2}}}
    assert list(after.images) == ["/a.jpg"]


def test_the_document_of_a_state_holds_fields_members_and_images():
    document = state("Nature").document()
    assert document["title"] == "Nature"
    assert document["episodes"] == [{"number": 1}]
    assert document["images"][0]["path"] == "/a.jpg"

from __future__ import annotations

from datetime import UTC, datetime

from schemas.event import MAX_IMAGES, Change, Entity
from streams import assemble
from streams.snapshots import State
from tests.streams.memory import MemoryProvider, image, observed

NOW = datetime(2025, 1, 21, tzinfo=UTC)
PROVIDER = MemoryProvider()


def state(paths, **entity):
    known = Entity(type="movie", native_type="movie", id="1", **entity)
    return State(known, NOW, images={path: image(path) for path in paths}, primary_image=paths[0] if paths else None)


def named(paths):
    return [Change(key="images", action="added", native_id=path) for path in paths]


def test_pictures_are_those_that_the_changes_name_each_once_and_at_most_fifty():
    paths = [f"/{number}.jpg" for number in range(MAX_IMAGES + 20)]
    event = assemble.read(PROVIDER, observed("1", 1), state(paths), named([paths[3], *paths]))
    assert len(event.data.images) == MAX_IMAGES
    assert [picture.path for picture in event.data.images][:3] == ["/3.jpg", "/0.jpg", "/1.jpg"]


def test_where_the_changes_name_no_picture_the_primary_one_stands_for_the_entity():
    event = assemble.read(PROVIDER, observed("1", 1), state(["/a.jpg", "/b.jpg"]), [])
    assert [picture.path for picture in event.data.images] == ["/a.jpg"]


def test_what_the_fetch_does_not_know_is_as_the_feed_said():
    fed = observed("1", 1)
    entity = fed.data.entity.model_copy(update={"number": 2, "url": "https://feed.example/1"})
    fed = fed.model_copy(update={"data": fed.data.model_copy(update={"entity": entity})})
    event = assemble.read(PROVIDER, fed, state([], name="A movie"), [])
    assert (event.data.entity.name, event.data.entity.number, event.data.entity.url) == ("A movie", 2, "https://feed.example/1")

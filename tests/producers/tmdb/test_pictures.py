"""The pictures that a change of images names."""

from __future__ import annotations

from typing import Any

import pytest

from producers.tmdb.events import entity
from schemas.event import Action, Change
from tests.producers.tmdb.catalogue import tmdb
from tests.producers.tmdb.furnished import EPISODE, fetched, furnish


def images_change(after: Any = None, before: Any = None, key: str = "images") -> Change:
    return Change(key=key, action=Action.UPDATED, before=before, after=after)


async def test_a_change_of_images_has_its_pictures_as_the_images_route_gives_them() -> None:
    async with tmdb() as reader:
        furnish(reader)
        answer = await fetched(reader, EPISODE)
        # an episode's stills are called backdrops in its changes
        change = images_change({"backdrop": {"file_path": "/wide.jpg", "iso_639_1": "wa"}})
        [image] = reader.provider.pictured(change, answer.images)
        assert (image.kind, image.width) == ("still", 3840)


async def test_a_picture_that_is_gone_is_made_from_its_path() -> None:
    async with tmdb() as reader:
        furnish(reader)
        answer = await fetched(reader, entity("movie", 558449))
        change = images_change(before={"title_logo": {"file_path": "/old.png", "iso_639_1": "de"}})
        [image] = reader.provider.pictured(change, answer.images)
        assert (image.kind, image.language, image.width) == ("logo", "de", None)
        assert image.url == "https://pictures.example/t/p/original/old.png"
        assert image.thumbnail_url == "https://pictures.example/t/p/w300/old.png"


async def test_a_picture_can_be_made_before_the_configuration_is_known() -> None:
    async with tmdb() as reader:
        [image] = reader.provider.pictured(images_change({"poster": {"file_path": "/a.jpg"}}), {})
        assert image.url == "https://image.tmdb.org/t/p/original/a.jpg"
        assert image.thumbnail_url is None


@pytest.mark.parametrize("value", [None, "x", [], {}, {"poster": None}, {"poster": {}}, {"poster": {"file_path": None}}])
async def test_values_that_name_no_picture_have_none(value: Any) -> None:
    async with tmdb() as reader:
        assert reader.provider.pictured(images_change(value), {}) == []
        assert reader.provider.pictured(images_change({"poster": {"file_path": "/a.jpg"}}, key="title"), {}) == []

"""The largest event that an expression or a template is tried on before it is accepted: 50 pictures, 50 changes, long texts.

Larger events are possible (a record may have 4 MB), and are left to the count at run time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from schemas.config.cel_shape import Shape, shape_of
from schemas.event import MAX_IMAGES, Action, Change, ChangeData, ChangeEvent, Enrichment, Entity, Image, Parent, Status

_CHANGES = 50
"""As many as a change of every picture that an event holds makes."""
_TEXT = "A description. " * 200
"""3,000 characters: as long as the longest descriptions of the providers."""
_NAME = "The title of a special " * 12
_URL = "https://images.example.org/" + "a" * 200
_WHEN = datetime(2025, 1, 21, 4, 46, 31, tzinfo=UTC)


@lru_cache(maxsize=1)
def largest_event() -> dict[str, Any]:
    """A parsed change event with every field filled. Nobody changes it."""
    document: dict[str, Any] = orjson.loads(_event().to_json())
    return document


@lru_cache(maxsize=1)
def largest_shape() -> Shape:
    return shape_of(largest_event())


def _event() -> ChangeEvent:
    kinds = [*("franchise", "series", "season")]
    parents = [Parent(type=kind, id="4711", name=_NAME, number=1) for kind in kinds]
    return ChangeEvent(
        id="p" * 64,
        source="urn:changecast:tmdb",
        type="changecast.tmdb.episode.entity.updated",
        subject="tmdb:episode:4711",
        time=_WHEN,
        data=ChangeData(
            provider="tmdb",
            entity=Entity(
                type="episode",
                native_type="tv_episode",
                id="4711",
                name=_NAME,
                url=_URL,
                parents=parents,
                number=1,
                external_ids={f"id_{number}": "tt" + "0" * 30 for number in range(10)},
            ),
            changes=[_change(number) for number in range(_CHANGES)],
            images=[_image(number) for number in range(MAX_IMAGES)],
            enrichment=Enrichment(status=Status.COMPLETE, fetched_at=_WHEN),
            observed_at=_WHEN,
        ),
    )


def _change(number: int) -> Change:
    """Every other one of a picture."""
    if number % 2:
        return Change(key="images", action=Action.ADDED, language="en", after=_image(number).model_dump(), native_id="a" * 24)
    return Change(
        key="overview", action=Action.UPDATED, language="en", country="US", before=_TEXT, after=_TEXT, native_id="a" * 24
    )


def _image(number: int) -> Image:
    return Image(
        kind="backdrop",
        url=f"{_URL}/{number}.jpg",
        thumbnail_url=f"{_URL}/small/{number}.jpg",
        width=3840,
        height=2160,
        aspect_ratio=1.778,
        language="en",
        vote_average=5.312,
        vote_count=number,
        path=f"/{'a' * 30}{number}.jpg",
    )

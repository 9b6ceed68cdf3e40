"""What differs between two states of an entity, one change a field, and one an image, episode or other member."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.event import ENTITY_KEY, Action, Change
from streams.snapshots import State

IMAGES_KEY = "images"
LANGUAGE_MARK = "@"
"""`overview@de` is the field `overview` in German: a change of it has the key `overview` and the language `de`."""
VOLATILE_IMAGE_FIELDS = frozenset({"vote_average", "vote_count"})
"""They move with every visitor's vote: no news, and no cause to wake a subscriber."""


def differences(before: State, after: State) -> list[Change]:
    """Fields in alphabetical order, then members by key, then images: the same order on any machine and after any restart."""
    return [
        *_fields(before.fields, after.fields),
        *_members(before.members, after.members),
        *_images(before, after),
    ]


def appearance(action: Action, updated_fields: list[str], state: State) -> list[Change]:
    """The changes of an entity seen for the first time: of the fields that the provider names, else of the entity."""
    if updated_fields:
        return [Change(key=name, action=Action.UPDATED, after=state.fields.get(name)) for name in updated_fields]
    return [Change(key=ENTITY_KEY, action=action)]


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old != new:
            name, _, language = key.partition(LANGUAGE_MARK)
            yield Change(key=name, action=_action(key in before, key in after), language=language or None, before=old, after=new)


def _members(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> Iterator[Change]:
    for key in sorted({*before, *after}):
        old, new = before.get(key, {}), after.get(key, {})
        for identity in sorted({*old, *new}):
            if old.get(identity) != new.get(identity):
                yield Change(
                    key=key,
                    action=_action(identity in old, identity in new),
                    before=old.get(identity),
                    after=new.get(identity),
                    native_id=identity,
                )


def _images(before: State, after: State) -> Iterator[Change]:
    for path in sorted({*before.images, *after.images}):
        old, new = before.images.get(path), after.images.get(path)
        compared = [image and image.model_dump(mode="json", exclude=set(VOLATILE_IMAGE_FIELDS)) for image in (old, new)]
        if compared[0] != compared[1]:
            shown = new or old
            yield Change(
                key=IMAGES_KEY,
                action=_action(old is not None, new is not None),
                language=shown.language if shown else None,
                before=old and old.model_dump(mode="json"),
                after=new and new.model_dump(mode="json"),
                native_id=path,
            )


def _action(was: bool, is_now: bool) -> Action:
    if was and is_now:
        return Action.UPDATED
    return Action.ADDED if is_now else Action.DELETED

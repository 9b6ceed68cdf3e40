"""What differs between two states of an entity, one change a field, and one an image, episode or other member."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from producers.interface import LANGUAGE_MARK
from producers.volatile import is_volatile, without
from schemas.event import ENTITY_KEY, Action, Change, Image
from streams.common_ground import comparable, same_primary_language
from streams.snapshots import State

IMAGES_KEY = "images"

_DERIVED = frozenset({"url", "thumbnail_url"})
"""Of an image: made from its path, by which it is told from others."""


def differences(before: State, after: State, volatile: Collection[str] = ()) -> list[Change] | None:
    """Fields in alphabetical order, then members by key, then images: the same order on any machine and after any restart.

    `volatile` names what is not compared, at any depth. It is left out on both sides: the state before may be of a time when it was
    compared. None: the states are in different primary languages, and nothing of them can be compared.
    """
    if not same_primary_language(before, after):
        return None
    before, after = comparable(before, after)
    return [
        *_fields(before.fields, after.fields, volatile),
        *_members(before.members, after.members, volatile),
        *_images(before.images, after.images, volatile),
    ]


def appearance(action: Action, updated_fields: list[str], state: State) -> list[Change]:
    """The changes of an entity seen for the first time: of the fields that the provider names, else of the entity."""
    if updated_fields:
        return [Change(key=name, action=Action.UPDATED, after=state.fields.get(name)) for name in updated_fields]
    return [Change(key=ENTITY_KEY, action=action)]


def _fields(before: Mapping[str, Any], after: Mapping[str, Any], volatile: Collection[str]) -> Iterator[Change]:
    for key in sorted({*before, *after}):
        old, new = _compared(before.get(key), after.get(key), volatile)
        if old != new and not is_volatile(key, volatile):
            name, _, language = key.partition(LANGUAGE_MARK)
            yield Change(key=name, action=_action(key in before, key in after), language=language or None, before=old, after=new)


def _members(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]], volatile: Collection[str]
) -> Iterator[Change]:
    for key in sorted(key for key in {*before, *after} if not is_volatile(key, volatile)):
        were, are = before.get(key, {}), after.get(key, {})
        for identity in sorted({*were, *are}):
            old, new = _compared(were.get(identity), are.get(identity), volatile)
            if old != new:
                action = _action(identity in were, identity in are)
                yield Change(key=key, action=action, before=old, after=new, native_id=identity)


def _compared(old: Any, new: Any, volatile: Collection[str]) -> tuple[Any, Any]:
    return (old, new) if old == new else (without(old, volatile), without(new, volatile))


def _images(before: Mapping[str, Image], after: Mapping[str, Image], volatile: Collection[str]) -> Iterator[Change]:
    left_out = {*volatile, *_DERIVED}
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        compared = [image and without(image.model_dump(mode="json"), left_out) for image in (old, new)]
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

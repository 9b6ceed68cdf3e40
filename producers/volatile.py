"""Fields that move without a change that anybody could see, such as ratings and times of the last touch: the setting `volatile`."""

from __future__ import annotations

from collections.abc import Collection

from producers.interface import LANGUAGE_MARK, Json


def is_volatile(key: str, volatile: Collection[str]) -> bool:
    """Whether the key names such a field, in any language: `overview@de` is the field `overview`."""
    return key.partition(LANGUAGE_MARK)[0] in volatile


def without(value: Json, volatile: Collection[str]) -> Json:
    """The value without these fields, at any depth."""
    if isinstance(value, dict):
        return {key: without(item, volatile) for key, item in value.items() if not is_volatile(key, volatile)}
    if isinstance(value, list):
        return [without(item, volatile) for item in value]
    return value

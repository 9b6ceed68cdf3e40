"""How large the values of an expression can be: upper bounds, taken from an event, and combined without making any value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from schemas.config.steps import of_chars


@dataclass(frozen=True, slots=True)
class Shape:
    """`text`: characters of a text. `length`: entries of a list or a mapping. `weight`: steps to look at all of it. `keys`:
    characters of the longest key. `fields`: what a mapping holds by name; `element`: what a list, or a mapping under a name that
    is not in `fields`, holds. `is_list`: whether the length is that of a list."""

    text: int = 0
    length: int = 0
    weight: int = 1
    keys: int = 0
    fields: Mapping[str, Shape] | None = None
    element: Shape | None = None
    is_list: bool = False

    def select(self, field: str) -> Shape:
        if self.fields is not None and (found := self.fields.get(field)) is not None:
            return found
        return self.element or SCALAR

    def any_entry(self) -> Shape:
        """Any element of a list, any value of a mapping."""
        return joined([*(self.fields or {}).values(), *([self.element] if self.element else [])])

    def each(self) -> Shape:
        """What a comprehension goes through: the elements of a list, the keys of a mapping."""
        key = Shape(text=self.keys, weight=of_chars(self.keys))
        return joined([self.element, key]) if self.element else key


SCALAR = Shape()


def joined(shapes: Iterable[Shape]) -> Shape:
    """A bound for values of which each is one of these."""
    return reduce(_join, shapes, SCALAR)


def _join(one: Shape, other: Shape) -> Shape:
    if one is other or other is SCALAR:
        return one
    if one is SCALAR:
        return other
    fields = one.fields or other.fields
    if one.fields and other.fields:
        names = {**one.fields, **other.fields}
        fields = {name: _join(one.fields.get(name, SCALAR), other.fields.get(name, SCALAR)) for name in names}
    return Shape(
        text=max(one.text, other.text),
        length=max(one.length, other.length),
        weight=max(one.weight, other.weight),
        keys=max(one.keys, other.keys),
        fields=fields,
        element=_join(one.element or SCALAR, other.element or SCALAR) if one.element or other.element else None,
        is_list=one.is_list or other.is_list,
    )


def added(one: Shape, other: Shape) -> Shape:
    """`one + other`: of texts, of lists, of numbers."""
    entries = [shape.element for shape in (one, other) if shape.element]
    return Shape(
        text=one.text + other.text,
        length=one.length + other.length,
        weight=one.weight + other.weight,
        element=joined(entries) if entries else None,
        is_list=one.is_list or other.is_list,
    )


def list_of(length: int, element: Shape) -> Shape:
    return Shape(length=length, weight=1 + length * element.weight, element=element, is_list=True)


def shape_of(value: Any) -> Shape:
    """Of plain JSON: dicts, lists, text, numbers. A list's elements share one shape."""
    if isinstance(value, str):
        return Shape(text=len(value), weight=of_chars(len(value)))
    if isinstance(value, list):
        shapes = [shape_of(item) for item in value]
        weight = 1 + sum(shape.weight for shape in shapes)
        return Shape(length=len(value), weight=weight, element=joined(shapes) if shapes else None, is_list=True)
    if isinstance(value, dict):
        fields = {str(name): shape_of(item) for name, item in value.items()}
        keys = max(map(len, fields), default=0)
        weight = 1 + sum(shape.weight for shape in fields.values()) + sum(of_chars(len(name)) for name in fields)
        return Shape(length=len(value), weight=weight, keys=keys, fields=fields)
    return SCALAR


class _Anything(Shape):
    """Whatever JSON of so many bytes can hold, at each place of it."""

    __slots__ = ()

    def select(self, field: str) -> Shape:  # noqa: ARG002
        return self

    def any_entry(self) -> Shape:
        return self

    def each(self) -> Shape:
        return self


def anything(size: int) -> Shape:
    """A bound for any JSON of `size` bytes: an entry takes two bytes at least, `1,`."""
    return _Anything(text=size, length=size // 2 + 1, weight=size + 1, keys=size, is_list=True)

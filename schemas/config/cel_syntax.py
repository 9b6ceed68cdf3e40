"""The syntax tree of a compiled CEL expression, read from its serialized form (`cel.expr.CheckedExpr`, a protobuf message).

The fields are those of https://github.com/google/cel-spec/blob/master/proto/cel/expr/syntax.proto. Macros are expanded in it:
`exists`, `all`, `map`, `filter` and `exists_one` are comprehensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_Fields = dict[int, list[bytes | int]]


@dataclass(frozen=True, slots=True)
class Literal:
    """`text`: the characters of a text or of bytes, else 0. `pattern`: the text itself."""

    text: int = 0
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or `has(operand.field)`."""

    operand: Node
    field: str
    is_test: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator. The target of a method call is the first argument."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    elements: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    """Pairs of key and value."""

    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Comprehension:
    variable: str
    source: Node
    accumulator: str
    initial: Node
    condition: Node
    step: Node
    result: Node


Node = Literal | Name | Select | Call | ListOf | MapOf | Comprehension


def syntax_tree(serialized: bytes) -> Node:
    """`serialized`: what `cel.Expression.serialize()` gives, a CheckedExpr within an Any."""
    checked = _fields(_bytes(_fields(serialized)[2][0]))
    return _node(_bytes(checked[4][0]))


def _node(message: bytes) -> Node:  # noqa: PLR0911 - one for each kind of node
    fields = _fields(message)
    kind = next(number for number in fields if number >= 3)
    inner = _fields(_bytes(fields[kind][0]))
    match kind:
        case 3:
            return _literal(inner)
        case 4:
            return Name(_text(inner, 1))
        case 5:
            return Select(_child(inner, 1), _text(inner, 2), bool(inner.get(3)))
        case 6:
            target = [_child(inner, 1)] if 1 in inner else []
            return Call(_text(inner, 2), (*target, *_children(inner, 3)))
        case 7:
            return ListOf(tuple(_children(inner, 1)))
        case 8:
            return MapOf(tuple(_entry(_fields(_bytes(one))) for one in inner.get(2, ())))
        case 9:
            return Comprehension(_text(inner, 1), _child(inner, 2), _text(inner, 3), *(_child(inner, n) for n in (4, 5, 6, 7)))
        case _:
            raise ValueError(f"an expression of the unknown kind {kind}")


def _literal(inner: _Fields) -> Literal:
    if 6 in inner:
        text = _text(inner, 6)
        return Literal(len(text), text)
    return Literal(len(_bytes(inner[7][0]))) if 7 in inner else Literal()


def _entry(fields: _Fields) -> tuple[Node, Node]:
    key: Node = _child(fields, 3) if 3 in fields else Literal(len(_text(fields, 2)), _text(fields, 2))
    return key, _child(fields, 4)


def _child(fields: _Fields, number: int) -> Node:
    return _node(_bytes(fields[number][0]))


def _children(fields: _Fields, number: int) -> Iterator[Node]:
    return (_node(_bytes(one)) for one in fields.get(number, ()))


def _text(fields: _Fields, number: int) -> str:
    return _bytes(fields[number][0]).decode() if number in fields else ""


def _bytes(value: bytes | int) -> bytes:
    assert isinstance(value, bytes)
    return value


def _fields(message: bytes) -> _Fields:
    """The fields of a protobuf message by number (https://protobuf.dev/programming-guides/encoding/)."""
    fields: _Fields = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value: bytes | int
        match tag & 7:
            case 0:
                value, at = _varint(message, at)
            case 2:
                size, at = _varint(message, at)
                value, at = message[at : at + size], at + size
            case 1:
                value, at = message[at : at + 8], at + 8
            case 5:
                value, at = message[at : at + 4], at + 4
            case wire_type:
                raise ValueError(f"the unknown wire type {wire_type}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7

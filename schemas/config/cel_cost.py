"""The steps that evaluating a CEL expression takes at most, counted from its syntax tree and the shape of the event.

The library stops an evaluation after 10,000 turns of its comprehensions, whatever a turn costs: doubling a text in each of 24 turns
makes a gigabyte. Here each operation counts for the size of what it looks at and makes, as in cel-go's cost estimation
(https://github.com/google/cel-go/blob/master/checker/cost.go). No value is made, so counting is cheap whatever the verdict: linear in
the length of the expression.

    event.data.images.exists(i, i.url.contains("x"))     50 pictures, URLs of 80 characters: 50 turns of 10 steps
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.config.cel_shape import SCALAR, Shape, added, joined, list_of
from schemas.config.cel_syntax import Call, Comprehension, ListOf, Literal, MapOf, Name, Node, Select
from schemas.config.steps import MAX_STEPS, TooManySteps, of_chars

MAX_TURNS = 10_000
"""Turns of all comprehensions of one evaluation: where the library stops."""
_REPEATED = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_ANY_CHARACTER = re.compile(r"\.|\[\^|\\[DSW]")
_UNICODE_CLASS = re.compile(r"\\[pP]|\[:\^?[a-z]+:\]")
_ANY_PROGRAM, _UNICODE_PROGRAM = 10, 500
"""Instructions for any character in UTF-8, and for a class of characters of Unicode."""
_INSTRUCTIONS_A_STEP = 32
_MAX_REPEAT = 1_000
"""RE2 refuses a pattern that repeats more often, also by repetitions within repetitions."""
_MAX_PROGRAM = 100_000
"""Instructions that RE2's memory limit leaves room for."""
_WORDS = 40
"""Characters of any number, time or duration as text."""

Shapes = Mapping[str, Shape]


@dataclass(slots=True)
class Cost:
    """`turns` of all comprehensions together. Raises TooManySteps beyond MAX_STEPS."""

    steps: int = 0
    turns: int = 0

    def take(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise TooManySteps("the expression", MAX_STEPS)


def cost_of(tree: Node, event: Shape) -> Cost:
    """At most so much for an event of this shape. Raises TooManySteps."""
    count = Cost()
    _walk(tree, {"event": event}, count)
    return count


def _walk(node: Node, shapes: Shapes, count: Cost) -> Shape:  # noqa: PLR0911 - one for each kind of node
    count.take(1)
    match node:
        case Literal():
            return Shape(text=node.text, weight=of_chars(node.text))
        case Name():
            return shapes.get(node.name, SCALAR)
        case Select():
            operand = _walk(node.operand, shapes, count)
            return SCALAR if node.is_test else operand.select(node.field)
        case ListOf():
            elements = [_walk(one, shapes, count) for one in node.elements]
            return list_of(len(elements), joined(elements))
        case MapOf():
            keys = [_walk(key, shapes, count) for key, _ in node.entries]
            element = joined(_walk(value, shapes, count) for _, value in node.entries)
            longest = max((key.text for key in keys), default=0)
            return Shape(
                length=len(keys), weight=1 + len(keys) * (element.weight + of_chars(longest)), keys=longest, element=element
            )
        case Comprehension():
            return _comprehension(node, shapes, count)
        case Call():
            return _call(node, [_walk(one, shapes, count) for one in node.arguments], count)


def _comprehension(node: Comprehension, shapes: Shapes, count: Cost) -> Shape:
    """The step is counted once and taken as often as there are turns. What `map` and `filter` make grows by one entry a turn, and is
    copied in each: so it is in the library."""
    source = _walk(node.source, shapes, count)
    initial = _walk(node.initial, shapes, count)
    turn = Cost()
    inner = {**shapes, node.variable: source.each(), node.accumulator: initial}
    _walk(node.condition, inner, turn)
    made = _walk(node.step, inner, turn)
    turns = source.length
    if isinstance(node.initial, ListOf):
        turn.take(turns)
        made = list_of(turns, made.any_entry())
    count.take(turns * turn.steps)
    count.turns += turns * (1 + turn.turns)
    return _walk(node.result, {**shapes, node.accumulator: made}, count)


def _call(node: Call, arguments: list[Shape], count: Cost) -> Shape:  # noqa: PLR0911 - one for each kind of function
    """What a call costs beside its arguments, and what it makes."""
    match node.function, arguments:
        case "_?_:_", [_, one, other]:
            return joined([one, other])
        case (("_&&_" | "_||_" | "!_" | "@not_strictly_false" | "type" | "dyn"), _):
            return arguments[0] if node.function == "dyn" else SCALAR
        case "_+_", [one, other]:
            count.take(of_chars(one.text + other.text) + one.length + other.length)
            return added(one, other)
        case "_[_]", [one, key]:
            count.take(of_chars(key.text))
            return one.any_entry()
        case (("_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_"), [one, other]):
            count.take(min(one.weight, other.weight))
            return SCALAR
        case "@in", [one, other]:
            count.take(of_chars(one.text) + other.length * min(one.weight, other.any_entry().weight))
            return SCALAR
        case "contains", [one, other]:
            count.take(of_chars(one.text) * of_chars(other.text))
            return SCALAR
        case (("startsWith" | "endsWith"), [_, other]):
            count.take(of_chars(other.text))
            return SCALAR
        case "matches", [one, pattern]:
            count.take((1 + one.text) * (_program(node.arguments[1], pattern) // _INSTRUCTIONS_A_STEP + 1))
            return SCALAR
        case _:
            count.take(sum(shape.weight for shape in arguments))
            text = max(sum(shape.text for shape in arguments), _WORDS)
            return Shape(text=text, weight=of_chars(text))


def _program(node: Node, shape: Shape) -> int:
    """Instructions of the compiled pattern, at most: RE2 runs each of them on each character at worst."""
    if not isinstance(node, Literal) or node.pattern is None:
        return min(shape.text * _MAX_REPEAT, _MAX_PROGRAM)
    text = node.pattern
    repeats = min(
        math.prod(max(int(times[:6]) for times in found if times) or 1 for found in _REPEATED.findall(text)), _MAX_REPEAT
    )
    wide = _ANY_PROGRAM * len(_ANY_CHARACTER.findall(text)) + _UNICODE_PROGRAM * len(_UNICODE_CLASS.findall(text))
    return min((len(text) + wide) * repeats, _MAX_PROGRAM)

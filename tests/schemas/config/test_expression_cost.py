"""What a `when` may cost: counted from its syntax tree, on the probe event when the config is read and on each event after that."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config.cel_cost import cost_of
from schemas.config.cel_shape import Shape, anything, shape_of
from schemas.config.cel_syntax import syntax_tree
from schemas.config.expressions import ExpressionError, bind, compile_when
from schemas.config.probes import largest_event
from schemas.config.steps import TooManySteps

DOUBLED = "[event.subject]" + ".map(x, x + x)" * 24 + "[0].size() > 1"


@pytest.mark.parametrize(
    "text",
    [
        DOUBLED,
        "['a']" + ".map(x, x + x)" * 24 + " == []",
        "[[event]]" + ".map(x, x + x)" * 24 + " == []",
        "[b'a']" + ".map(x, x + x)" * 24 + " == []",
        "event.data.images.all(i, event.data.changes.all(c, event == event))",
        "event.data.images.all(i, event.data.images.all(j, event.data.images.all(k, i.path != j.path)))",
        "event.data.images.all(i, event.data.changes.all(c, c.before.contains(c.after)))",
        "event.data.changes.all(c, c.after.matches(c.before))",
        "event.data.changes.all(c, c.after.matches('(a?){1000}(a?){1000}a{1000}'))",
        "event.data.images.all(i, event.data.images.map(j, event.data.images.map(k, k)).size() > 1)",
    ],
)
def test_an_expression_that_costs_too_much_is_an_error_of_the_config(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"on an event with 50 pictures and long texts"):
        compile_when(text)


def test_more_turns_than_the_library_takes_are_an_error_of_the_config() -> None:
    with pytest.raises(ExpressionError, match="comprehensions take more than 10,000 turns on an event with 50 pictures"):
        compile_when("event.data.images.all(i, event.data.images.all(j, event.data.images.all(k, true)))")


@pytest.mark.parametrize(
    "text",
    [
        "event.data.images.exists(i, i.width != null && i.width >= 1280)",
        "event.data.images.exists(i, event.data.images.exists(j, i.path == j.path && i.url != j.url))",
        "event.data.changes.exists(c, event.data.images.exists(i, c.after.path == i.path))",
        "event.data.changes.exists(c, c.after.matches('(?i).*season [0-9]{1,2}.*'))",
        "event.data.entity.parents.exists(p, p.name.startsWith('The ') && p.name.contains('special'))",
        "event.data.changes.filter(c, c.key == 'images').map(c, c.after).size() > 3",
        "event.data.entity.name + ' ' + event.data.provider == 'a b'",
        "event.data.changes[0].after in ['a', 'b'] || string(event.data.entity.number) == '1'",
    ],
)
def test_expressions_of_every_day_stay_within_the_bound(text: str) -> None:
    try:
        compile_when(text).matches(largest_event())
    except ExpressionError as error:
        assert "steps" not in str(error) and "turns" not in str(error)


def test_an_event_larger_than_the_probe_ends_a_costly_match_as_failed() -> None:
    expression = compile_when("event.data.images.exists(i, event.data.images.exists(j, i.path == j.url))")
    many = {"data": {"images": [{"path": "p" * 200, "url": "u" * 200} for _ in range(400)]}}
    with pytest.raises(ExpressionError, match="costs too much: more than 1,000,000 steps on this event"):
        expression.matches(bind(many, len(orjson.dumps(many))))
    few = {"data": {"images": many["data"]["images"][:50]}}
    assert expression.matches(bind(few, len(orjson.dumps(few)))) is False


def test_most_events_are_known_to_be_cheap_by_their_size_alone() -> None:
    expression = compile_when("event.data.images.exists(i, i.width != null && i.width >= 1280)")
    assert expression.safe_size >= 64 * 1024
    bound = bind({"data": {"images": []}}, 1000)
    expression.matches(bound)
    assert bound._shape is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=30,
)


@given(JSON)
def test_the_bound_by_size_is_above_that_by_shape(value: Any) -> None:
    def is_below(shape: Shape, most: Shape) -> bool:
        sizes = (shape.text <= most.text, shape.length <= most.length, shape.weight <= most.weight, shape.keys <= most.keys)
        inner = [*(shape.fields or {}).values(), *([shape.element] if shape.element else [])]
        return all(sizes) and all(is_below(one, most) for one in inner)

    event = {"a": value}
    assert is_below(shape_of(event), anything(len(orjson.dumps(event))))


@given(st.lists(st.sampled_from(["map(x, x + x)", "map(x, [x, x])", "filter(x, x == x)", "map(x, string(x))"]), max_size=40))
def test_counting_takes_no_longer_for_what_costs_more(chain: list[str]) -> None:
    """Linear in the expression: no value is made."""
    text = ".".join(["event.a", *chain]) + " == []"
    try:
        program = compile_when.__wrapped__(text)
    except ExpressionError:
        return
    assert program.safe_size >= 0


def test_doubled_texts_are_counted_before_they_are_made() -> None:
    from schemas.config.expressions import _ENV

    tree = syntax_tree(_ENV.compile(DOUBLED).serialize())
    with pytest.raises(TooManySteps, match="1,000,000 steps"):
        cost_of(tree, shape_of({"subject": "tmdb:movie:1"}))

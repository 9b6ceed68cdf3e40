"""`when`: what compiles, what matches, and what is said when either fails."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config.expressions import ExpressionError, bind, compile_when

EVENT = {"subject": "tmdb:episode:1", "data": {"images": [{"width": 1920, "language": None}, {"width": None}], "name": "é"}}

SIZELESS = {"data": {"images": [{"width": None}]}}
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.data.images.exists(i, i.width >= 1280)", True),
        ("event.data.images.all(i, has(i.height))", False),
        ("event.subject.startsWith('tmdb:') && event.data.name == 'é'", True),
        ("event.data.images[0].language == null", True),
        ("has(event.data.nothing) && event.data.nothing.deep", False),
        ("size(event.data.images) == 2", True),
    ],
)
def test_an_expression_sees_the_event(text: str, expected: bool) -> None:
    assert compile_when(text).matches(EVENT) is expected


@pytest.mark.parametrize("file", ["README.md", "changecast.example.yaml"])
def test_the_expressions_that_are_shown_hold_for_pictures_of_unknown_size(file: str) -> None:
    shown = re.findall(r"^ *when: (?:'(.+?)'|(\S.*))", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)

    assert [compile_when(quoted or plain).matches(SIZELESS) for quoted, plain in shown] == [False]


def test_an_event_is_handed_over_once_for_many_expressions() -> None:
    bound = bind(EVENT)
    assert [compile_when(f"event.data.images[0].width == {width}").matches(bound) for width in (1919, 1920)] == [False, True]


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "the expression stops too early", (1, 1)),
        ("event.data.", "no viable alternative at input '.'", (1, 12)),
        ("event.data == (3", "missing ')' at the end", None),
        ("foo.bar == 1", 'unknown name "foo.bar": an expression sees "event" and CEL\'s functions', (1, 1)),
        ("event.a == 1 &&\n evnt.b == 2", 'unknown name "evnt.b"; did you mean "event"?', (2, 2)),
        ("event.x.startsWth('a')", 'unknown name "startsWth"; did you mean "startsWith"?', (1, 9)),
        ("event.data.images.exist(i, i.width > 1)", 'unknown name "exist"; did you mean "exists"?', (1, 19)),
        ("1 + 'a' == 2", '"+" does not work on int and string', (1, 3)),
        ("'é' == event.x && fo", None, (1, 19)),
        ("'text'", "the expression gives text, where true or false is needed", (1, 1)),
        ("[1]", "the expression gives a list, where true or false is needed", (1, 1)),
        ("(" * 200 + "true" + ")" * 200, None, (1, 1)),
    ],
)
def test_what_does_not_compile_is_told_with_its_place(text: str, message: str | None, place: tuple[int, int] | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_when(text)
    assert message is None or str(caught.value) == message
    assert place is None or (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event.nothing == 1", 'Key not found in map : "nothing"'),
        ("event.data.images[1].width > 5", "No matching overloads found"),
        ("event.data.name", "the answer is text, where true or false is needed"),
        ("event.data.images.all(a, event.n.all(b, event.n.all(c, true)))", "Iteration budget exceeded"),
    ],
)
def test_what_fails_on_an_event_is_an_error_not_an_answer(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message.replace('"', "")[:20].split(" : ")[0]):
        compile_when(text).matches({**EVENT, "n": list(range(200))})


def test_numbers_that_cel_cannot_hold_are_an_error() -> None:
    with pytest.raises(ExpressionError, match="out of range"):
        compile_when("event.n == 1").matches({"n": 2**70})


def test_threads_may_share_an_expression() -> None:
    expression = compile_when("event.n.exists(x, x == event.wanted)")
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda n: expression.matches({"n": list(range(50)), "wanted": n}), range(400))
    assert list(answers) == [n < 50 for n in range(400)]


@given(st.text(max_size=40) | st.text(alphabet="event.data()[]'\"&|!<>=?:+-*/0123 \n", max_size=40))
def test_any_text_compiles_or_is_an_expression_error(text: str) -> None:
    try:
        compile_when(text)
    except ExpressionError as error:
        assert str(error)

"""What the operations of a template that multiply sizes are about to make: filters, methods of texts, operators. Each function takes
the steps of its result before there is one."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from typing import Any

from jinja2.exceptions import SecurityError

from schemas.config.template_steps import take, take_chars, weigh

_NUMBER = re.compile(r"\d+")
_MAX_DIGITS = 18
MAX_BITS = 4096
"""Of a whole number: arithmetic with larger ones takes longer than their size says. Prices and ids have 64."""
_MAX_PRECISION = 400
"""Digits after the point: a float has 324 at most."""
_LINK = 64
"""Characters of the markup around a link, beside its attributes."""
_ESCAPED = 6
"""Characters that one becomes: `&#34;`, `\\u003c`, `%C3%A9`."""
_SLOW = 16
"""Steps by which a filter that takes a text apart in Python is slower than a copy."""

Size = Callable[..., None]


def multiplied(left: Any, right: Any) -> None:
    for thing, times in ((left, right), (right, left)):
        if isinstance(times, int) and isinstance(thing, str | bytes):
            take_chars(len(thing) * max(times, 0))
        elif isinstance(times, int) and isinstance(thing, list | tuple):
            take(len(thing) * max(times, 0))


def raised(base: Any, exponent: Any) -> None:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > MAX_BITS and abs(base) > 1:
        raise OverflowError(f"a number of more than {MAX_BITS} bits")


def percent_formatted(text: str | bytes, values: Any) -> None:
    """`text % values`: any number in the text may be a width, and with `*` any number among the values."""
    plain = text.decode("latin-1") if isinstance(text, bytes) else text
    widths = _numbers(plain)
    if "*" in plain:
        widths += [abs(value) for value in (values if isinstance(values, tuple) else (values,)) if isinstance(value, int)]
    places = plain.count("%")
    take_chars(len(plain) + places * max(widths, default=0))
    take(places * (1 + weigh(values)))


def brace_formatted(text: str, values: Any) -> None:
    """`text.format(values)`. Raises SecurityError for a format that is itself made from a value."""
    places = width = 0
    for _, field, spec, _ in string.Formatter().parse(text):
        places += field is not None
        if spec and "{" in spec:
            raise SecurityError("a format within a format can't be used in a template")
        width += sum(_numbers(spec or ""))
    take_chars(len(text) + width)
    take(places * (1 + weigh(values)))


def _numbers(text: str) -> list[int]:
    return [int(found[:_MAX_DIGITS]) for found in _NUMBER.findall(text)]


def _replace(text: Any, old: Any = "", new: Any = "", count: Any = None) -> None:
    places = len(text) // len(old) if old else len(text) + 1
    places = places if count is None or count < 0 else min(places, count)
    take_chars(len(text) + places * len(new))


def _indent(text: Any, width: Any = 4, first: Any = False, blank: Any = False) -> None:  # noqa: ARG001
    take_chars(len(text) + (len(text.splitlines()) + 1) * (len(width) if isinstance(width, str) else width))


def _wordwrap(text: Any, width: Any = 79, break_long_words: Any = True, wrapstring: Any = None, **_: Any) -> None:  # noqa: ARG001
    lines = len(text) // max(width, 1) + len(text.splitlines()) + text.count(" ") + 1
    take_chars(len(text) * _SLOW + lines * len(wrapstring or "\n"))


def _join(items: Any, between: Any = "", attribute: Any = None) -> None:  # noqa: ARG001
    take_chars(len(items) * len(str(between)))


def _batch(items: Any, count: Any = 1, fill_with: Any = None) -> None:  # noqa: ARG001
    take(abs(count))


def _round(number: Any, precision: Any = 0, method: Any = "common") -> None:  # noqa: ARG001
    if abs(precision) > _MAX_PRECISION:
        raise OverflowError(f"a precision of more than {_MAX_PRECISION} digits")


def _tojson(value: Any, indent: Any = None) -> None:
    take(weigh(value) * _ESCAPED)
    if indent:
        depth, count = _layers(value)
        take_chars(count * depth * indent)


def _layers(value: Any) -> tuple[int, int]:
    """How many lists and mappings stand within each other, at most, and how many values there are. `value` has been weighed."""
    depth = count = 0
    level = [value]
    while level:
        depth, count = depth + 1, count + len(level)
        level = [inner for one in level for inner in _entries(one)]
    return depth, count


def _entries(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value


def _sum(items: Any, attribute: Any = None, start: Any = 0) -> None:  # noqa: ARG001
    if not isinstance(start, int | float):
        take(weigh(items) * (1 + len(items)))


def _urlize(text: Any, trim: Any = None, nofollow: Any = False, target: Any = None, rel: Any = None, schemes: Any = None) -> None:  # noqa: ARG001
    words = text.count(".") + text.count(":") + text.count("@") + 1
    take_chars(len(text) * (_SLOW + 2 * _ESCAPED) + words * (_LINK + len(target or "") + len(rel or "")))


def _striptags(text: Any) -> None:
    """Each comment is cut out of the whole text."""
    take_chars(len(text) * (_SLOW + text.count("<")))


def _sorted(items: Any, *_: Any, **__: Any) -> None:
    take(weigh(items) * len(items).bit_length())


def _escaped(value: Any, *_: Any, **__: Any) -> None:
    take(weigh(value) * _ESCAPED)


def _slow(value: Any, *_: Any, **__: Any) -> None:
    take(weigh(value) * _SLOW)


def _truncate(text: Any, length: Any = 255, killwords: Any = False, end: Any = "...", leeway: Any = None) -> None:  # noqa: ARG001
    take_chars(len(text) + len(end))


def _padded(text: Any, width: Any = 80, *_: Any) -> None:
    take_chars(max(len(text), width))


FILTERS: dict[str, Size] = {
    "batch": _batch,
    "slice": _batch,
    "center": _padded,
    "indent": _indent,
    "join": _join,
    "replace": _replace,
    "round": _round,
    "striptags": _striptags,
    "sum": _sum,
    "tojson": _tojson,
    "truncate": _truncate,
    "urlize": _urlize,
    "wordwrap": _wordwrap,
    "format": lambda text, *values, **named: percent_formatted(text, named or values),
    **dict.fromkeys(("escape", "e", "forceescape", "urlencode", "xmlattr"), _escaped),
    **dict.fromkeys(("title", "capitalize", "wordcount", "pprint"), _slow),
    **dict.fromkeys(("sort", "unique", "groupby", "dictsort", "min", "max"), _sorted),
}
"""By name: what the filter is about to make, of the filter's own arguments."""
TEXT_FILTERS = frozenset(
    {
        *("center", "indent", "replace", "striptags", "truncate", "urlize", "wordwrap", "format", "title", "capitalize"),
        "wordcount",
    }
)
"""These turn what they are given into text first."""
SHALLOW_FILTERS = frozenset(
    {
        *("length", "count", "first", "last", "default", "d", "attr", "safe", "random", "map", "select", "reject", "selectattr"),
        *("rejectattr", "items", "batch", "slice", "list", "reverse", "abs", "float", "int"),
    }
)
"""These look at the entries of what they are given, never into them."""

TEXT_METHODS: dict[str, Size] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _padded),
    "expandtabs": lambda text, size=8: take_chars(len(text) + text.count("\t") * max(size, 0)),
    "replace": _replace,
    "join": lambda between, items=(): take_chars(len(items) * len(between)),
    "translate": lambda text, table: take_chars(len(text) * max((len(str(new)) for new in table.values()), default=1)),
}
"""Methods of texts, by name, with the text first."""

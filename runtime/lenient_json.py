"""JSON from outside in which one bad text must not spoil its neighbours.

`loads` is orjson for every document that is valid. A document that orjson refuses is parsed once more, with each offending value
replaced and everything around it kept:

    {"a": "\\ud83d", "b": 1}     a lone surrogate              {"a": "\\ufffd", "b": 1}
    {"a": "\\x01", "b": 1}       a raw control character       {"a": "\\ufffd", "b": 1}      (tab and line breaks are kept)
    {"a": NaN, "b": 1}          a number that JSON lacks      {"a": null, "b": 1}
    {"a": "\\xff", "b": 1}       bytes that are not UTF-8      {"a": "\\ufffd", "b": 1}

What comes out can always be written again by orjson.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

REPLACEMENT = "\ufffd"

_UNPRINTABLE = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f]")
_INT64 = range(-(2**63), 2**64)
"""What orjson can write: signed and unsigned 64 bits."""


def loads(body: bytes) -> Any:
    """The document. Raises ValueError when it is not JSON even with its texts and numbers mended."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as refused:
        try:
            return _mended(body)
        except (ValueError, RecursionError):
            raise refused from None


def _mended(body: bytes) -> Any:
    text = body.decode("utf-8-sig", "replace")
    document = json.loads(text, strict=False, parse_constant=_no_number, parse_float=_float, parse_int=_int)
    return _clean(document)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _UNPRINTABLE.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [_clean(member) for member in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(member) for key, member in value.items()}
    return value


def _no_number(_: str) -> None:
    """NaN, Infinity and -Infinity."""


def _float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _int(text: str) -> int | float | None:
    if len(text) > 20:  # longer than any 64-bit number; Python limits the digits of int()
        return _float(text)
    number = int(text)
    return number if number in _INT64 else _float(text)

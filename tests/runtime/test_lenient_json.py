from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import lenient_json

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'{"a": "\ud83d", "b": "good"}', {"a": "\ufffd", "b": "good"}),
        (rb'{"a": "x\ude00y", "b": "\ud83d\ude00"}', {"a": "x\ufffdy", "b": "\U0001f600"}),
        (b'{"a": "x\x01y", "b": "line\nbreak\ttab"}', {"a": "x\ufffdy", "b": "line\nbreak\ttab"}),
        (b'{"a": NaN, "b": [-Infinity, 1.5]}', {"a": None, "b": [None, 1.5]}),
        (b'{"a": 1e999, "b": 123456789012345678901234567890, "c": NaN}', {"a": None, "b": 1.2345678901234568e29, "c": None}),
        (b'{"a": "\xff\xfe", "b": 1}', {"a": "\ufffd\ufffd", "b": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (rb'{"\ud83d": 1}', {"\ufffd": 1}),
        (b'{"a": ' + b"9" * 5000 + b', "b": NaN}', {"a": None, "b": None}),
    ],
)
def test_one_bad_text_or_number_spoils_no_neighbour(text: bytes, value: Any) -> None:
    assert lenient_json.loads(text) == value


@pytest.mark.parametrize("text", [b"", b"<html></html>", b'{"a": ', b'{"a": 1} {"b": 2}', b"nul", b"[" * 100_000])
def test_what_is_no_json_raises_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        lenient_json.loads(text)


@given(JSON_VALUES)
def test_what_was_read_can_always_be_written(value: Any) -> None:
    for ascii_only in (True, False):
        body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        orjson.dumps(lenient_json.loads(body))


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_value_error(body: bytes) -> None:
    try:
        orjson.dumps(lenient_json.loads(body))
    except ValueError:
        return

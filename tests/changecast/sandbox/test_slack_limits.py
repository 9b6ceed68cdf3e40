from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changecast.sandbox.slack_limits import block_problems, text_problem


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


GOOD = [
    {"type": "header", "text": plain("h" * 150)},
    {"type": "section", "text": mrkdwn("t" * 3000), "fields": [mrkdwn("f" * 2000)] * 10},
    {"type": "section", "text": plain("x"), "accessory": {"type": "image", "image_url": "http://a/b", "alt_text": "b"}},
    {"type": "image", "image_url": "https://a/" + "u" * 2990, "alt_text": "a" * 2000, "title": plain("t" * 2000)},
    {"type": "context", "elements": [mrkdwn("c")] * 10},
    {"type": "actions", "elements": [{"type": "button", "text": plain("Open"), "url": "https://a/"}]},
    {"type": "markdown", "text": "**x**"},
    {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "link", "url": "https://a/", "text": "a"}]}],
    },
    {"type": "divider", "block_id": "b" * 255},
]


@pytest.mark.parametrize("block", GOOD, ids=lambda block: block["type"])
def test_a_block_within_its_limits_is_taken(block):
    assert block_problems([block]) == []


BAD = [
    {"type": "header", "text": plain("h" * 151)},
    {"type": "header", "text": mrkdwn("h")},
    {"type": "header", "text": plain("")},
    {"type": "header"},
    {"type": "section"},
    {"type": "section", "text": mrkdwn("t" * 3001)},
    {"type": "section", "fields": []},
    {"type": "section", "fields": [mrkdwn("f")] * 11},
    {"type": "section", "fields": [mrkdwn("f" * 2001)]},
    {"type": "section", "text": "bare"},
    {"type": "section", "text": {"type": "mrkdwn", "text": "x", "emoji": True}},
    {"type": "image", "image_url": "https://a/" + "u" * 2991, "alt_text": "a"},
    {"type": "image", "image_url": "https://a/b", "alt_text": "a" * 2001},
    {"type": "image", "image_url": "https://a/b"},
    {"type": "image", "image_url": "/relative.jpg", "alt_text": "a"},
    {"type": "image", "image_url": None, "alt_text": "a"},
    {"type": "context", "elements": []},
    {"type": "context", "elements": [mrkdwn("c")] * 11},
    {"type": "actions", "elements": [{"type": "button", "text": plain("o" * 76)}]},
    {"type": "divider", "block_id": "b" * 256},
    {"type": "rich_text", "elements": []},
    {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": ""}]}]},
    {"type": "rich_text", "elements": [{"type": "text", "text": "bare"}]},
    {"type": "dividre"},
    {},
    "divider",
    None,
]


@pytest.mark.parametrize("block", BAD, ids=lambda block: str(block)[:40])
def test_a_block_beyond_its_limits_is_refused_with_its_place(block):
    problems = block_problems([{"type": "divider"}, block])
    assert problems
    assert all(problem.startswith("/blocks/1") for problem in problems)


def test_a_message_has_at_most_50_blocks_whose_ids_differ():
    assert block_problems([{"type": "divider"}] * 50) == []
    assert block_problems([{"type": "divider"}] * 51)
    assert block_problems([{"type": "divider", "block_id": "a"}] * 2)
    assert block_problems({"type": "divider"})


def test_a_message_needs_text_or_blocks_and_its_text_has_a_limit():
    assert text_problem({}) == "no_text"
    assert text_problem({"text": ""}) == "no_text"
    assert text_problem({"text": "t" * 40_000}) is None
    assert text_problem({"text": "t" * 40_001}) == "msg_too_long"
    assert text_problem({"blocks": [{"type": "divider"}]}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "text", "fields", "elements", "accessory", "image_url"]), inner)
    ),
    max_leaves=12,
)


@given(st.lists(JSON | st.fixed_dictionaries({"type": st.sampled_from(["section", "image", "context", "actions"])}), max_size=5))
def test_no_message_makes_the_check_fail(blocks):
    assert isinstance(block_problems(blocks), list)


@given(st.integers(min_value=1, max_value=60), st.integers(min_value=0, max_value=400))
def test_headers_are_taken_exactly_within_both_limits(count, length):
    blocks = [{"type": "header", "text": plain("h" * length)}] * count
    assert (block_problems(blocks) == []) == (count <= 50 and 1 <= length <= 150)

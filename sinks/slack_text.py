"""Text for Slack that means itself: titles like `M*A*S*H`, backticks and `:emoji:` stay as they are. Pure.

Slack's mrkdwn has no escape for `*`, `_`, a backtick or a colon. The text elements of a rich text block are not parsed at all
(https://docs.slack.dev/reference/block-kit/blocks/rich-text-block), so messages are made of those. `plain` text is for the field that
stands alone where blocks can't be shown: there `&`, `<` and `>` are escaped, and formatting is turned off by `mrkdwn: false`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.models.blocks import RichTextBlock, RichTextElementParts, RichTextSectionElement

from sinks.wording import cut

MAX_NAME = 150
MAX_SECTION = 3_000
_MAX_URL = 3_000
_MAX_LINK = 600
"""Of the address behind a name; a longer one is left out, and the name stays."""
_LINK_MARKS = 4
"""`<`, `|`, `>` around a link in plain text, and a space."""
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True, slots=True)
class Span:
    """Some words of a line, in one style. `emoji`: the name of one, which `text` stands for in plain text."""

    text: str
    url: str | None = None
    bold: bool = False
    code: bool = False
    emoji: str | None = None


Line = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """Texts that are empty have no place in a rich text block."""
    spans = (Span(part) if isinstance(part, str) else part for part in parts)
    return tuple(span for span in spans if span.text)


def shown(text: str, most: int) -> str:
    """On one line, at most `most` characters, cut by an ellipsis."""
    return cut(" ".join(text.split()), most)


def link(label: str, url: str | None, *, bold: bool = False) -> Span:
    """The label, linked where there is a web address."""
    address = url if url is not None and is_web(url) and len(url) <= _MAX_LINK else None
    return Span(shown(label, MAX_NAME), address, bold)


def width(made: Line) -> int:
    """Characters, as plain text has them, and the break behind the line."""
    return 1 + sum(len(escaped(span.text)) + (len(span.url) * 2 + _LINK_MARKS if span.url else 0) for span in made)


def plain(lines: Iterable[Line]) -> str:
    return "\n".join("".join(_plain(span) for span in made) for made in lines)


def _plain(span: Span) -> str:
    label = escaped(span.text)
    return label if span.url is None else f"<{escaped(span.url.replace('|', '%7C'))}|{label}>"


def escaped(text: str) -> str:
    """No mention and no link, whatever the text holds."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def escaped_within(text: str, most: int) -> str:
    """On one line, at most `most` characters after escaping, cut by an ellipsis."""
    whole = " ".join(text.split())
    if len(escaped(whole)) <= most:
        return escaped(whole)
    parts, length = [], 0
    for part in map(escaped, whole):
        if length + len(part) > most - 1:
            break
        parts.append(part)
        length += len(part)
    return "".join(parts).rstrip() + "…"


def section(*lines: Line) -> RichTextBlock:
    return RichTextBlock(elements=[RichTextSectionElement(elements=list(_elements(lines)))])


def _elements(lines: Sequence[Line]) -> Iterable[Any]:
    for number, made in enumerate(lines):
        if number:
            yield RichTextElementParts.Text(text="\n")
        for span in made:
            yield _element(span)


def _element(span: Span) -> Any:
    if span.emoji is not None:
        return RichTextElementParts.Emoji(name=span.emoji)
    style = RichTextElementParts.TextStyle(bold=span.bold or None, code=span.code or None) if span.bold or span.code else None
    if span.url is not None:
        return RichTextElementParts.Link(url=span.url, text=span.text, style=style)
    return RichTextElementParts.Text(text=span.text, style=style)


def is_web(url: str) -> bool:
    if len(url) > _MAX_URL or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.netloc)

"""Slack messages in Block Kit, within Slack's limits by construction. Pure.

Limits (docs.slack.dev, Block Kit): 50 blocks, header 150 characters, section 3,000, alternative text 2,000, URL 3,000; and all text
of a message together within 9,500, below the length from which Slack refuses blocks.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    ImageBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from sinks import wording
from sinks.event import Alert, Event

MAX_TEXT = 9_500
_MAX_HEADER = 150
_MAX_SECTION = 3_000
_MAX_URL = 3_000
_MAX_ALT = 300
MAX_NAME = 150
MAX_VALUE = 300
_ONE_LINE = 80
"""Characters of a value before and after that are read well beside each other; longer ones stand below each other."""
_MAX_CHANGES = 12
"""Lines of one message; a reader who wants all of them follows the link."""
_MAX_GROUPS = 12
_GROUP_LINES = 3
MAX_FALLBACK = 300
_STATUS_WORDS = {
    "complete": "",
    "skipped": "",  # nothing is fetched for an entity of this type
    "partial": "some details are missing",
    "forbidden": "no access to the details",
    "not_found": "the provider no longer has it",
    "failed": "the details could not be fetched",
}
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True, slots=True)
class Message:
    """`text`: what notifications show, and all that is left where blocks can't be shown."""

    text: str
    blocks: list[dict[str, Any]]

    def without_picture(self) -> Message:
        return Message(self.text, [block for block in self.blocks if block["type"] != "image"])


def escaped(text: str, most: int) -> str:
    """Text that means itself in mrkdwn (no mention, no link), at most `most` characters after escaping, cut by an ellipsis."""
    plain = " ".join(text.split())
    whole = "".join(_ESCAPES.get(character, character) for character in plain)
    if len(whole) <= most:
        return whole
    parts, length = [], 0
    for character in plain:
        part = _ESCAPES.get(character, character)
        if length + len(part) > most - 1:
            break
        parts.append(part)
        length += len(part)
    return "".join(parts).rstrip() + "…"


def link(label: str, url: str | None, most: int = MAX_NAME) -> str:
    """The label, linked where there is a web address."""
    shown = escaped(label, most)
    if url is None or not _is_web(url):
        return shown
    target = "".join(_ESCAPES.get(character, character) for character in url.replace("|", "%7C"))
    return f"<{target}|{shown}>" if len(target) <= MAX_NAME * 4 else shown


def message_of(event: Event) -> Message:
    """One event: the entity, what changed, the picture, where and when."""
    document = event.document
    title = f"*{link(event.name, event.url)}*"
    changes = wording.told_changes(document)
    lines = [_change_line(document, change) for change in changes[:_MAX_CHANGES]] or [escaped(event.change, MAX_NAME)]
    lines = list(dict.fromkeys(lines))  # three places of sale that end on the same day read the same
    if len(lines) > 1:
        lines = [f"• {line}" for line in lines]
    if len(changes) > _MAX_CHANGES:
        lines.append(f"and {len(changes) - _MAX_CHANGES} more")
    budget = MAX_TEXT - len(title) - MAX_FALLBACK * 2 - _MAX_ALT
    blocks: list[Block] = [section(title), *(section(text) for text in _packed(lines, budget))]
    if (picture := _picture(event)) is not None:
        blocks.append(picture)
    blocks.append(context(f"{event.teller} · {when_words(document)}{_status(document)}"))
    return Message(escaped(f"{event.name}: {event.change}", MAX_FALLBACK), [block.to_dict() for block in blocks])


def digest_of(events: Sequence[Event]) -> Message:
    """Many events in one message, grouped by what they belong to."""
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(event.group, []).append(event)
    header = f"{len(events)} {_what(events)}" + (f" of {next(iter(groups))}" if len(groups) == 1 else "")
    several = len(groups) > 1
    sections = [_group(name, members, several) for name, members in itertools.islice(groups.items(), _MAX_GROUPS)]
    left = list(groups.values())[_MAX_GROUPS:]
    blocks: list[Block] = [HeaderBlock(text=PlainTextObject(text=wording.cut(header, _MAX_HEADER), emoji=False))]
    budget = MAX_TEXT - _MAX_HEADER - MAX_FALLBACK * 2 - _MAX_ALT - MAX_NAME
    for shown, text in enumerate(sections):
        if len(text) > budget:
            left = [*list(groups.values())[shown:_MAX_GROUPS], *left]
            break
        budget -= len(text)
        blocks.append(section(text))
    if left:
        blocks.append(section(f"and {sum(map(len, left))} more {_what(list(itertools.chain(*left)))} of {len(left)} more"))
    if (picture := next((found for event in events if (found := _picture(event)) is not None), None)) is not None:
        blocks.append(picture)
    providers = dict.fromkeys(event.teller for event in events)
    blocks.append(context(f"{', '.join(providers)} · {_span(events[0].document, events[-1].document)}"))
    return Message(escaped(header, MAX_FALLBACK), [block.to_dict() for block in blocks])


def _group(name: str, members: list[Event], headed: bool) -> str:
    if len(members) == 1:
        return f"*{link(members[0].name, members[0].url)}*: {escaped(members[0].change, MAX_NAME)}"
    show = name.partition(" season ")[0]
    shown = [
        f"• {link(_below(event.name, show), event.url)}: {escaped(event.change, MAX_NAME)}" for event in members[:_GROUP_LINES]
    ]
    more = len(members) - len(shown)
    lines = [f"*{escaped(name, MAX_NAME)}*", *shown] if headed else shown
    if more:
        what = _what(members)
        lines.append(f"and {more} more {what.removesuffix('s') if more == 1 else what} of {escaped(name, MAX_NAME)}")
    text = "\n".join(lines)
    return text if len(text) <= _MAX_SECTION else f"*{escaped(name, MAX_NAME)}*\n{len(members)} {_what(members)}"


def _what(events: Sequence[Event]) -> str:
    """What they are, in the plural."""
    kinds = dict.fromkeys("alerts" if isinstance(event, Alert) else "changes" for event in events)
    return " and ".join(sorted(kinds, reverse=True))


def _below(name: str, show: str) -> str:
    """A name without that of the show, which stands above it."""
    return name.removeprefix(f"{show} ") if show else name


def _change_line(document: wording.Json, change: wording.Json) -> str:
    phrase, before, after = wording.detail_words(document, change)
    line = escaped(phrase, MAX_NAME)
    if before and after:
        shown = [escaped(before, MAX_VALUE), escaped(after, MAX_VALUE)]
        if sum(map(len, shown)) > _ONE_LINE:
            return f"{line}:\n{shown[0]}\n→ {shown[1]}"
        return f"{line}: {shown[0]} → {shown[1]}"
    if after:
        return f"{line}: {escaped(after, MAX_VALUE)}"
    return f"{line}: was {escaped(before, MAX_VALUE)}" if before else line


def _packed(lines: list[str], budget: int) -> list[str]:
    """Lines in as few sections as hold them, within the budget; what has no room is counted."""
    texts: list[str] = []
    for number, line in enumerate(lines):
        if len(line) + 1 > budget:
            texts.append(f"and {len(lines) - number} more")
            break
        budget -= len(line) + 1
        if texts and len(texts[-1]) + 1 + len(line) <= _MAX_SECTION:
            texts[-1] += "\n" + line
        else:
            texts.append(line)
    return texts


def _picture(event: Event) -> ImageBlock | None:
    """The first picture that is still there, small where there is a small one."""
    images = event.document["data"].get("images") or ()
    for image in sorted(images, key=lambda image: wording.is_gone(event.document, image))[:1]:
        url = image.get("thumbnail_url") or image.get("url")
        if isinstance(url, str) and _is_web(url):
            return ImageBlock(image_url=url, alt_text=wording.cut(f"{image.get('kind', 'image')} of {event.name}", _MAX_ALT))
    return None


def _is_web(url: str) -> bool:
    if len(url) > _MAX_URL or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.netloc)


def when_words(document: wording.Json) -> str:
    try:
        return time_words(datetime.fromisoformat(str(document.get("time"))))
    except (ValueError, OverflowError):
        return escaped(str(document.get("time")), MAX_NAME)


def time_words(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _span(first: wording.Json, last: wording.Json) -> str:
    """From the first's time to the last's: the day once, where it is the same."""
    start, end = when_words(first), when_words(last)
    if start == end:
        return start
    day = start.partition(" ")[0]
    same_day = start.endswith(" UTC") and end.startswith(f"{day} ")
    return f"{start.removesuffix(' UTC')} to {end.removeprefix(f'{day} ')}" if same_day else f"{start} to {end}"


def _status(document: wording.Json) -> str:
    status = str((document["data"].get("enrichment") or {}).get("status", "complete"))
    words = _STATUS_WORDS.get(status, status.replace("_", " "))
    return f" · {escaped(words, 40)}" if words else ""


def section(text: str) -> SectionBlock:
    return SectionBlock(text=MarkdownTextObject(text=text, verbatim=True))


def context(text: str) -> ContextBlock:
    return ContextBlock(elements=[MarkdownTextObject(text=text, verbatim=True)])

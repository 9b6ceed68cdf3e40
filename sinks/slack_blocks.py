"""Slack messages in Block Kit, within Slack's limits by construction. Pure.

Limits (docs.slack.dev, Block Kit): 50 blocks, header 150 characters, alternative text 2,000, URL 3,000; a rich text block is kept to
the 3,000 of a section; and all text of a message together within 9,500, below the length from which Slack refuses blocks.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slack_sdk.models.blocks import Block, ContextBlock, HeaderBlock, ImageBlock, PlainTextObject

from sinks import wording
from sinks.event import Alert, Event
from sinks.slack_text import MAX_NAME, MAX_SECTION, Line, Span, escaped_within, is_web, line, link, plain, section, shown, width

MAX_TEXT = 9_500
_MAX_HEADER = 150
_MAX_ALT = 300
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


@dataclass(frozen=True, slots=True)
class Message:
    """`text`: what notifications show beside the blocks. `full`: all that the message says, as plain text, for a Slack that takes no
    blocks of it."""

    text: str
    blocks: list[dict[str, Any]]
    full: str = ""

    def without_picture(self) -> Message:
        return Message(self.text, [block for block in self.blocks if block["type"] != "image"], self.full)

    def without_blocks(self) -> Message:
        return Message(self.full or self.text, [])


def notice(text: str) -> str:
    """What a notification shows."""
    return escaped_within(text, MAX_FALLBACK)


def message_of(event: Event) -> Message:
    """One event: the entity, what changed, the picture, where and when."""
    document = event.document
    title = line(link(event.name, event.url, bold=True))
    changes = wording.told_changes(document)
    lines = [_change_line(document, change) for change in changes[:_MAX_CHANGES]] or [line(shown(event.change, MAX_NAME))]
    lines = list(dict.fromkeys(lines))  # three places of sale that end on the same day read the same
    if len(lines) > 1:
        lines = [line("• ", *told) for told in lines]
    if len(changes) > _MAX_CHANGES:
        lines.append(line(f"and {len(changes) - _MAX_CHANGES} more"))
    budget = MAX_TEXT - width(title) - MAX_FALLBACK * 2 - _MAX_ALT
    packed = _packed(lines, budget)
    where = line(f"{event.teller} · {when_words(document)}{_status(document)}")
    blocks: list[Block] = [section(title), *(section(*together) for together in packed)]
    if (picture := _picture(event)) is not None:
        blocks.append(picture)
    blocks.append(context(where))
    full = plain([title, *itertools.chain(*packed), where])
    return Message(notice(f"{event.name}: {event.change}"), [block.to_dict() for block in blocks], full)


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
    lines = [line(shown(header, _MAX_HEADER))]
    budget = MAX_TEXT - _MAX_HEADER - MAX_FALLBACK * 2 - _MAX_ALT - MAX_NAME
    for number, group in enumerate(sections):
        if sum(map(width, group)) > budget:
            left = [*list(groups.values())[number:_MAX_GROUPS], *left]
            break
        budget -= sum(map(width, group))
        blocks.append(section(*group))
        lines += group
    if left:
        lines.append(line(f"and {sum(map(len, left))} more {_what(list(itertools.chain(*left)))} of {len(left)} more"))
        blocks.append(section(lines[-1]))
    if (picture := next((found for event in events if (found := _picture(event)) is not None), None)) is not None:
        blocks.append(picture)
    providers = dict.fromkeys(event.teller for event in events)
    lines.append(line(f"{shown(', '.join(providers), MAX_NAME)} · {_span(events[0].document, events[-1].document)}"))
    blocks.append(context(lines[-1]))
    return Message(notice(header), [block.to_dict() for block in blocks], plain(lines))


def _group(name: str, members: list[Event], headed: bool) -> list[Line]:
    if len(members) == 1:
        return [line(link(members[0].name, members[0].url, bold=True), f": {shown(members[0].change, MAX_NAME)}")]
    show = name.partition(" season ")[0]
    told = [
        line("• ", link(_below(event.name, show), event.url), f": {shown(event.change, MAX_NAME)}")
        for event in members[:_GROUP_LINES]
    ]
    more = len(members) - len(told)
    heading = line(Span(shown(name, MAX_NAME), bold=True))
    lines = [heading, *told] if headed else told
    if more:
        what = _what(members)
        lines.append(line(f"and {more} more {what.removesuffix('s') if more == 1 else what} of {shown(name, MAX_NAME)}"))
    return lines if sum(map(width, lines)) <= MAX_SECTION else [heading, line(f"{len(members)} {_what(members)}")]


def _what(events: Sequence[Event]) -> str:
    """What they are, in the plural."""
    kinds = dict.fromkeys("alerts" if isinstance(event, Alert) else "changes" for event in events)
    return " and ".join(sorted(kinds, reverse=True))


def _below(name: str, show: str) -> str:
    """A name without that of the show, which stands above it."""
    return name.removeprefix(f"{show} ") if show else name


def _change_line(document: wording.Json, change: wording.Json) -> Line:
    phrase, before, after = wording.detail_words(document, change)
    told = shown(phrase, MAX_NAME)
    if before and after:
        values = [shown(before, MAX_VALUE), shown(after, MAX_VALUE)]
        if sum(map(len, values)) > _ONE_LINE:
            return line(f"{told}:\n{values[0]}\n→ {values[1]}")
        return line(f"{told}: {values[0]} → {values[1]}")
    if after:
        return line(f"{told}: {shown(after, MAX_VALUE)}")
    return line(f"{told}: was {shown(before, MAX_VALUE)}" if before else told)


def _packed(lines: list[Line], budget: int) -> list[list[Line]]:
    """Lines in as few blocks as hold them, within the budget; what has no room is counted."""
    packed: list[list[Line]] = []
    room = 0
    for number, told in enumerate(lines):
        if width(told) > budget:
            packed.append([line(f"and {len(lines) - number} more")])
            break
        budget -= width(told)
        if width(told) > room:
            packed.append([])
            room = MAX_SECTION
        packed[-1].append(told)
        room -= width(told)
    return packed


def _picture(event: Event) -> ImageBlock | None:
    """The first picture that is still there, small where there is a small one."""
    images = event.document["data"].get("images") or ()
    for image in sorted(images, key=lambda image: wording.is_gone(event.document, image))[:1]:
        url = image.get("thumbnail_url") or image.get("url")
        if isinstance(url, str) and is_web(url):
            return ImageBlock(image_url=url, alt_text=wording.cut(f"{image.get('kind', 'image')} of {event.name}", _MAX_ALT))
    return None


def when_words(document: wording.Json) -> str:
    try:
        return time_words(datetime.fromisoformat(str(document.get("time"))))
    except (ValueError, OverflowError):
        return shown(str(document.get("time")), MAX_NAME)


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
    return f" · {shown(words, 40)}" if words else ""


def context(told: Line) -> ContextBlock:
    return ContextBlock(elements=[PlainTextObject(text="".join(span.text for span in told), emoji=False)])

"""Events and what became of them at each subscription, for people and as a document for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from changecast.deliveries.answers import UNSENT, Answer, Word
from changecast.deliveries.tables import printable
from changecast.deliveries.why import Found, Told
from changecast.options import utc

_STYLES = {
    Word.DELIVERED: "green",
    Word.WAITS: "yellow",
    Word.DEAD: "red",
    Word.DISABLED: "red",
    Word.NO_MATCH: "dim",
    Word.EARLIER: "cyan",
    Word.NOT_YET: "yellow",
    Word.PASSED_OVER: "yellow",
    Word.NO_RECORD: "dim",
}
_INDENT = 2
_LONGEST_NAME = 28
_SECOND = "%Y-%m-%dT%H:%M:%S"


def blocks(told: Sequence[Told], *, wide: bool) -> RenderableType:
    """One block an event, with a line for each subscription. `wide`: nobody looks, so no name is broken."""
    return Group(*_blocks(told, wide))


def _blocks(told: Sequence[Told], wide: bool) -> Iterator[RenderableType]:
    # alike in all blocks, so that they can be read downwards
    longest = max(len(answer.subscription) for one in told for answer in one.answers)
    names = longest if wide else min(longest, _LONGEST_NAME)
    words = max(len(_shown(answer.word)) for one in told for answer in one.answers)
    for one in told:
        event = one.seen.event
        head = Table(box=None, pad_edge=False, show_header=False)
        head.add_column(no_wrap=True, style="dim")
        head.add_column(overflow="fold")
        head.add_row(utc(one.seen.at), Text.assemble((printable(event.name), "bold"), f"  {printable(event.change)}"))
        head.add_row("", Text(printable(event.id), style="dim"))
        yield head
        yield Padding(_answers(one.answers, names, words), (0, 0, 0, _INDENT), expand=False)
        yield Text()


def replays(told: Sequence[Told]) -> list[str]:
    """For each subscription that was not sent something that it wants: the command that sends what matches in the time of those events."""
    unsent: dict[str, list[datetime]] = {}
    for one in told:
        for answer in one.answers:
            if answer.word in UNSENT:
                unsent.setdefault(answer.subscription, []).append(one.seen.at.astimezone(UTC))
    return [
        f"changecast replay -s {name} --since {min(times):{_SECOND}} --until {max(times) + timedelta(seconds=1):{_SECOND}}"
        for name, times in unsent.items()
    ]


def _answers(answers: Sequence[Answer], names: int, words: int) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(min_width=names, max_width=names, overflow="fold")
    table.add_column(no_wrap=True, min_width=words)
    table.add_column(overflow="fold")
    for answer in answers:
        table.add_row(answer.subscription, Text(_shown(answer.word), style=_STYLES[answer.word]), printable(answer.reason))
    return table


def _shown(word: Word) -> str:
    return word.replace("_", " ")


def as_document(named: str, found: Found, told: Sequence[Told]) -> dict[str, Any]:
    return {
        "of": named,
        "events": found.count,
        "unreadable": found.unreadable,
        "newest": [
            {
                "id": one.seen.event.id,
                "subject": one.seen.event.subject,
                "name": one.seen.event.name,
                "change": one.seen.event.change,
                "published": one.seen.at.astimezone(UTC),
                "subscriptions": [_answer_document(answer) for answer in one.answers],
            }
            for one in told
        ],
    }


def _answer_document(answer: Answer) -> dict[str, Any]:
    attempt = answer.attempt
    return {
        "subscription": answer.subscription,
        "outcome": answer.word,
        "reason": answer.reason,
        "webhook_id": answer.webhook_id,
        "last_attempt": None if attempt is None else attempt.model_dump(mode="json"),
    }

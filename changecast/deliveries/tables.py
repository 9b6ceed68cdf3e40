"""Attempts, deliveries and endpoints as tables for people."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.text import Text

from changecast.columns import Cell, Column, fitted, shared_out
from changecast.deliveries.attempts import Found
from runtime.amounts import amount
from schemas import redaction
from schemas.delivery import Attempt, Outcome

STYLES = {Outcome.DELIVERED: "green", Outcome.RETRY: "yellow", Outcome.DEAD: "red", Outcome.DISABLED: "red"}
_SHORT_ID = 12
_LATE = timedelta(minutes=1)
"""`msg_` and eight digits: enough to name one of a hundred thousand, and the commands take it."""
_WIDTHS = {
    "when (UTC)": 14,
    "subscription": 12,
    "entity": 12,
    "what": 12,
    "try": 3,
    "outcome": 9,
    "code": 4,
    "ms": 6,
    "id": _SHORT_ID,
}
"""Columns of an attempt's line, at the least; the subscription, the entity and what changed share the rest."""
_SPARED = ("ms", "what", "code", "try", "when (UTC)")
"""Left out first where the terminal is narrow: `show` tells them too. By the id it is asked."""
_RIGHT = ("try", "code", "ms")
_GAP = 2

Widths = dict[str, int]


def printable(text: str) -> str:
    """A receiver's or a provider's text as a terminal may be given it: redacted (an older version may have written it), and without
    control characters, which could move the cursor or set colours."""
    kept = (each if unicodedata.category(each) not in ("Cc", "Cf", "Cs") else " " for each in redaction.redact(text))
    return " ".join("".join(kept).split())


def widths(attempts: Sequence[Attempt], width: int | None) -> Widths:
    """The columns of a terminal of `width`; None: nobody looks, so nothing is cut, and ids are whole."""
    texts = {
        "subscription": [attempt.subscription for attempt in attempts],
        "entity": [printable(attempt.name or attempt.subject) for attempt in attempts],
        "what": [printable(attempt.change or "-") for attempt in attempts],
    }
    whole = _WIDTHS | {name: max([_WIDTHS[name], *map(cell_len, cells)]) for name, cells in texts.items()}
    if width is None:
        return whole | {"id": len("msg_") + 32}
    # of those that come later, when this is followed, nothing is known: what these don't need is left to the entity
    found = shared_out(_WIDTHS, whole, width, _SPARED)
    return found | {"entity": found["entity"] + max(width - sum(found.values()) - _GAP * (len(found) - 1), 0)}


def attempts_table(found: Found, columns: Widths) -> RenderableType:
    """One line an attempt, and below how many there are."""
    return Group(beginning(found, columns), Text(), *(Text(line, style=style) for line, style in _remarks(found)))


def beginning(found: Found, columns: Widths) -> RenderableType:
    """The header and the attempts alone, where more lines follow."""
    header = _line({name: Text(name) for name in columns}, columns)
    header.stylize("dim")
    return Group(header, *(attempt_line(attempt, columns) for attempt in found.newest))


def _remarks(found: Found) -> Iterator[tuple[str, str]]:
    shown = len(found.newest)
    whole = f"{amount(shown, 'attempt')}."
    yield whole if shown == found.count else f"The last {shown:,} of {amount(found.count, 'attempt')}: --limit shows more.", "dim"
    if found.unreadable:
        yield f"{amount(found.unreadable, 'record is', 'records are')} not of a form that this version reads.", "red"


def attempt_line(attempt: Attempt, columns: Widths) -> Text:
    failed = attempt.outcome is not Outcome.DELIVERED
    cells = {
        "when (UTC)": Text(moment(attempt.at), style="dim"),
        "subscription": Text(attempt.subscription),
        "entity": Text(printable(attempt.name or attempt.subject)),
        "what": Text(printable(attempt.change or "-")),
        "try": Text(str(attempt.attempt)),
        "outcome": Text(attempt.outcome, style=STYLES[attempt.outcome]),
        "code": Text(_or_dash(attempt.status_code), style="red" if failed else ""),
        "ms": Text(_ms(attempt.ms)),
        "id": Text(attempt.webhook_id, style="dim"),
    }
    return _line(cells, columns)


def _line(cells: Mapping[str, Text], columns: Widths) -> Text:
    line = Text(no_wrap=True, overflow="crop")
    for name, width in columns.items():
        cell = cells[name]
        text = cell.plain
        if cell_len(text) > width:
            # of an id the first digits do, as the commands take them
            text = text[:width] if name == "id" else set_cell_size(text, width - 1) + "…"
        pad = " " * (width - cell_len(text))
        line.append(pad + text if name in _RIGHT else text + pad, cell.style)
        line.append(" " * _GAP)
    line.rstrip()
    return line


_ATTEMPTS = (
    Column("try", right=True),
    Column("at (UTC)"),
    Column("outcome"),
    Column("code", right=True),
    Column("ms", right=True),
    Column("address"),
    Column("next (UTC)"),
    Column("error", wraps=True),
)


def delivery(attempts: Sequence[Attempt], width: int) -> RenderableType:
    """One delivery: what it is, each attempt, what the receiver said, and what comes next."""
    last = attempts[-1]
    facts = [
        ("id", last.webhook_id),
        ("event", last.event_id),
        ("to", f"{last.subscription} ({last.kind})"),
        ("entity", " · ".join(filter(None, (last.subject, printable(last.name or ""))))),
        ("what", printable(last.change or "-")),
        ("now", _state_words(last)),
    ]
    head = [Text.assemble((f"{label:<8}", "dim"), value) for label, value in facts]
    rows: list[list[Cell]] = [
        [
            str(attempt.attempt),
            moment(attempt.at),
            Text(attempt.outcome, style=STYLES[attempt.outcome]),
            _or_dash(attempt.status_code),
            _ms(attempt.ms),
            attempt.address or "-",
            moment(attempt.next_at) if attempt.next_at else "-",
            printable("; ".join(filter(None, (attempt.error, attempt.note))) or "-"),
        ]
        for attempt in attempts
    ]
    table = fitted(_ATTEMPTS, rows, width, ("ms", "address", "next (UTC)"))
    return Group(*head, Text(), table, *_answers(attempts))


def _answers(attempts: Sequence[Attempt]) -> Iterator[Text]:
    """What receivers said, each answer once."""
    before = None
    for attempt in attempts:
        if attempt.answer and attempt.answer != before:
            yield Text()
            yield Text(f"Answer to attempt {attempt.attempt}:", style="dim")
            for line in attempt.answer.splitlines() or [""]:
                yield Text(f"  {printable(line)}")
        before = attempt.answer


def _state_words(last: Attempt) -> str:
    match last.outcome:
        case Outcome.DELIVERED:
            return "delivered"
        case Outcome.RETRY:
            return waiting_words(last)
        case Outcome.DEAD:
            return f"dead: {again_words(last)}"
        case Outcome.DISABLED:
            return f"ended with its endpoint: {again_words(last)} (`changecast endpoints list`)"


def again_words(last: Attempt) -> str:
    """What an operator can do for a delivery that has ended."""
    once = " once that is enabled" if last.outcome is Outcome.DISABLED else ""
    return f"`changecast deliveries retry {last.webhook_id[:_SHORT_ID]}` sends it again{once}"


def waiting_words(last: Attempt) -> str:
    """What comes after an attempt that failed."""
    number = last.attempt + 1
    if last.next_at is None:
        return f"waits for attempt {number}"
    if last.next_at >= datetime.now(UTC) - _LATE:
        return f"waits for attempt {number} at {moment(last.next_at)} UTC"
    return (
        f"attempt {number} was due at {moment(last.next_at)} UTC: it waits behind the endpoint's other deliveries or its breaker,"
        " or was dropped with its subscription"
    )


def moment(at: datetime) -> str:
    """As tables show it."""
    return f"{at.astimezone(UTC):%m-%d %H:%M:%S}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)

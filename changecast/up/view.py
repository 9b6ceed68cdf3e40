"""The live view's lines: one for a change, one for a delivery. Pure: what it is given in, text out."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from runtime.amounts import amount
from schemas import redaction
from schemas.delivery import Attempt, Outcome
from schemas.event import ChangeEvent
from sinks.wording import change_words, entity_name

NARROWEST, WIDEST = 60, 160
"""Below the first the columns make no sense; beyond the second the eye loses the line."""
_TIME, _SOURCE, _GAP = 8, 4, 2
_NAME_SHARE = 0.4
"""At 80 columns it leaves `catalogue: webhook delivered in 12 ms` whole, and of an episode the show and its number."""
_NAME_MOST = 58
_PLAIN_NAME = 44
_JOINERS = "\u200c\u200d"  # letters of several scripts, and emoji, are put together with these
_SHORT_WAIT = timedelta(minutes=1)

_SOURCE_STYLES = {"tmdb": "cyan", "pbs": "blue", "tvdb": "green"}
_OUTCOME_STYLES = {Outcome.DELIVERED: "green", Outcome.RETRY: "yellow", Outcome.DEAD: "red", Outcome.DISABLED: "red"}


@dataclass(frozen=True)
class Row:
    """A line in its columns. `name_style` and the others are rich's; plain output leaves them out."""

    at: datetime
    source: str
    name: str
    text: str
    source_style: str = ""
    name_style: str = ""
    text_style: str = ""


def change_row(event: ChangeEvent, at: datetime) -> Row:
    """`tmdb  Game of Thrones S01E02 The Kingsroad   still added (en)`. `at`: when it was published."""
    provider, parsed = event.data.provider, event.model_dump(mode="json")
    return Row(
        at,
        provider,
        _one_line(entity_name(parsed)),
        _one_line(change_words(parsed)),
        _SOURCE_STYLES.get(provider, ""),
        "bold",
    )


def attempt_row(attempt: Attempt) -> Row:
    """`→     Game of Thrones S01E02 The Kingsroad   new-stills: webhook delivered in 12 ms`."""
    style = _OUTCOME_STYLES[attempt.outcome]
    text = f"{attempt.subscription}: {attempt.kind} {_outcome_words(attempt)}"
    return Row(attempt.at, "→", _one_line(attempt.name or attempt.subject), _one_line(text), style, "dim", style)


def _outcome_words(attempt: Attempt) -> str:
    took = f" in {attempt.ms:.0f} ms" if attempt.ms is not None else ""
    why = attempt.error or (f"status {attempt.status_code}" if attempt.status_code else "no answer")
    match attempt.outcome:
        case Outcome.DELIVERED:
            again = f" at attempt {attempt.attempt}" if attempt.attempt > 1 else ""
            return f"delivered{took}{again}"
        case Outcome.RETRY:
            wait = f", again {_wait(attempt.next_at - attempt.at)}" if attempt.next_at else ""
            return f"failed ({why}){wait}"
        case Outcome.DEAD:
            return f"given up after {amount(attempt.attempt, 'attempt')} ({why})"
        case Outcome.DISABLED:
            return f"endpoint disabled ({why})"


def _wait(wait: timedelta) -> str:
    seconds = max(wait.total_seconds(), 0)
    if wait < _SHORT_WAIT:
        return f"in {seconds:.0f} s"
    return f"in {seconds / 60:.0f} min" if seconds < 3600 else f"in {seconds / 3600:.1f} h"


def plain(row: Row) -> str:
    """The line for a pipe or a file: no colours, nothing cut, so that it can be searched."""
    return f"{_clock(row)}  {row.source:<{_SOURCE}}  {row.name:<{_PLAIN_NAME}}  {row.text}"


def styled(row: Row, width: int) -> Text:
    """The line for a terminal of `width` columns: aligned, and cut to fit."""
    width = max(NARROWEST, min(width, WIDEST))
    room = width - _TIME - _SOURCE - 3 * _GAP
    name_width = min(int(room * _NAME_SHARE), _NAME_MOST)
    return Text.assemble(
        (f"{_clock(row)}{' ' * _GAP}", "dim"),
        (f"{row.source:<{_SOURCE}}{' ' * _GAP}", row.source_style),
        (f"{_cut(row.name, name_width)}{' ' * _GAP}", row.name_style),
        (_cut(row.text, room - name_width).rstrip(), row.text_style),
        no_wrap=True,
        overflow="ellipsis",
    )


def _clock(row: Row) -> str:
    return row.at.astimezone().strftime("%H:%M:%S")


def _cut(text: str, width: int) -> str:
    """Exactly `width` terminal columns, with an ellipsis where something was cut off."""
    if cell_len(text) <= width:
        return text + " " * (width - cell_len(text))
    return set_cell_size(text, width - 1) + "…"


def _one_line(text: str) -> str:
    """A provider's text as a terminal may be given it: redacted, and without control characters, which could move the cursor or set
    colours."""
    spaced = " ".join(redaction.redact(text).split())
    return "".join(each for each in spaced if each in _JOINERS or unicodedata.category(each) not in ("Cc", "Cf", "Cs"))

"""An alert as a Slack message: what has happened to which endpoint, since when, and the command that helps. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.alert import AlertData
from sinks.event import Alert
from sinks.slack_blocks import MAX_VALUE, Message, context, notice, time_words, when_words
from sinks.slack_text import Line, Span, line, plain, section, shown


def alert_message(event: Alert) -> Message:
    """Within Slack's limits as `slack_blocks` is: every text is cut."""
    data = event.data
    summary = line(Span("⚠ ", emoji="warning"), " ", Span(shown(data.summary, MAX_VALUE), bold=True))
    facts = [line("• ", *fact) for fact in _facts(data)]
    remedy = line(Span(shown(data.remedy, MAX_VALUE), code=True))
    where = line(f"changecast · {when_words(event.document)}")
    blocks = [section(summary), *([section(*facts)] if facts else []), section(remedy), context(where)]
    return Message(notice(data.summary), [block.to_dict() for block in blocks], plain([summary, *facts, remedy, where]))


def _facts(data: AlertData) -> Iterator[Line]:
    if data.failing_since is not None:
        told = f"Only failures since {time_words(data.failing_since)}"
        if data.failing_percent and data.disables_at is not None:
            told += f": {data.failing_percent} % of the time after which it is disabled, on {time_words(data.disables_at)}"
        yield line(told)
    if data.disabled_at is not None:
        yield line(f"Disabled since {time_words(data.disabled_at)}; what it misses waits for it")
    if data.dead is not None:
        count, last = data.dead.count, data.dead.last
        words = "One delivery was given up" if count == 1 else f"{count:,} deliveries were given up, the last of them"
        attempts = "one attempt" if last.attempts == 1 else f"{last.attempts} attempts"
        subject, error = shown(last.subject, MAX_VALUE), shown(last.error, MAX_VALUE)
        yield line(f"{words} of {subject} after {attempts}: {error} (", Span(shown(last.webhook_id, MAX_VALUE), code=True), ")")

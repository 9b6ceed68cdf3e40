"""An alert as a Slack message: what has happened to which endpoint, since when, and the command that helps. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.alert import AlertData
from sinks.event import Alert
from sinks.slack_blocks import MAX_FALLBACK, MAX_VALUE, Message, context, escaped, section, time_words, when_words


def alert_message(event: Alert) -> Message:
    """Within Slack's limits as `slack_blocks` is: every text is cut."""
    data = event.data
    blocks = [section(f":warning: *{escaped(data.summary, MAX_VALUE)}*")]
    if lines := list(_facts(data)):
        blocks.append(section("\n".join(f"• {line}" for line in lines)))
    blocks.append(section(f"`{escaped(data.remedy, MAX_VALUE)}`"))
    blocks_and_time = [*blocks, context(f"changecast · {when_words(event.document)}")]
    return Message(escaped(data.summary, MAX_FALLBACK), [block.to_dict() for block in blocks_and_time])


def _facts(data: AlertData) -> Iterator[str]:
    if data.failing_since is not None:
        line = f"Only failures since {time_words(data.failing_since)}"
        if data.failing_percent and data.disables_at is not None:
            line += f": {data.failing_percent} % of the time after which it is disabled, on {time_words(data.disables_at)}"
        yield line
    if data.disabled_at is not None:
        yield f"Disabled since {time_words(data.disabled_at)}; what it misses waits for it"
    if data.dead is not None:
        count, last = data.dead.count, data.dead.last
        words = "One delivery was given up" if count == 1 else f"{count:,} deliveries were given up, the last of them"
        attempts = "one attempt" if last.attempts == 1 else f"{last.attempts} attempts"
        subject, error = escaped(last.subject, MAX_VALUE), escaped(last.error, MAX_VALUE)
        yield f"{words} of {subject} after {attempts}: {error} (`{escaped(last.webhook_id, MAX_VALUE)}`)"

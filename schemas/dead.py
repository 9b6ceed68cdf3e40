"""The headers of a record in `changecast.dead`. Key and value are those of the origin, byte for byte."""

from __future__ import annotations

from schemas import redaction

MAX_ERROR_BYTES = 2048
"""A sentence, and perhaps the beginning of an answer: an event that was just small enough for its topic must fit with it."""

ORIGIN_TOPIC = "changecast-origin-topic"
ORIGIN_PARTITION = "changecast-origin-partition"
ORIGIN_OFFSET = "changecast-origin-offset"
REASON = "changecast-reason"
ERROR = "changecast-error"
ATTEMPTS = "changecast-attempts"
SUBSCRIPTION = "changecast-subscription"


def headers(
    *,
    reason: str,
    error: str,
    topic: str,
    partition: int | None = None,
    offset: int | None = None,
    attempts: int = 1,
    subscription: str | None = None,
) -> list[tuple[str, bytes]]:
    """`reason` is a word for machines (`no-entity-id`, `bad-json`), `error` a sentence for people, redacted here. `topic` is the
    origin: a topic, or `<provider>:<feed>` for what never reached one."""
    pairs: list[tuple[str, str | None]] = [
        (REASON, reason),
        (ERROR, redaction.excerpt(error, MAX_ERROR_BYTES)),
        (ORIGIN_TOPIC, topic),
        (ORIGIN_PARTITION, None if partition is None else str(partition)),
        (ORIGIN_OFFSET, None if offset is None else str(offset)),
        (ATTEMPTS, str(attempts)),
        (SUBSCRIPTION, subscription),
    ]
    return [(name, value.encode()) for name, value in pairs if value is not None]

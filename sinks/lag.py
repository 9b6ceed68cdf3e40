"""A subscription that can't keep up leaves the common stream and reads on at a cursor of its own, until it has caught up.

So a slow or failing endpoint holds back no commit and no other endpoint, keeps the order of its first attempts, and costs no copy of
any event: what it has not had yet stands in the changes topic, and the cursor says where. The cursor is durable (`changecast.lagging`),
written in the transaction that frees the common stream's offset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from sinks.tracker import Position, Tracker, decode

MAX_CURSOR_CHARS = 256 * 1024
"""A cursor is a record of its own: room for each open delivery of one endpoint, however far apart they stand."""


@dataclass(slots=True)
class Lag:
    """One subscription's cursor in one partition.

    `until`: it has caught up, and the common stream serves it from this offset on, while the cursor's last deliveries end. `ended`: it
    had nothing open when it was last written, and had caught up. `stale`: open deliveries have been dropped from memory, and must be
    read again.
    """

    subscription: str
    topic: str
    tracker: Tracker
    until: int | None = None
    ended: bool = False
    dirty: bool = field(default=True)
    stale: bool = False

    def leaves_open(self, offset: int) -> bool:
        """Whether the event at `offset` is still to be delivered."""
        return self.tracker.restored.leaves_open(offset, self.subscription)

    def rewind(self) -> None:
        """Read again from the first that is open. Only when nothing of it is in flight."""
        own = decode(*self.tracker.commit(MAX_CURSOR_CHARS))
        self.tracker = Tracker(own.offset, own)
        self.stale = False

    def done(self, common: int) -> bool:
        """Whether nothing of it is open, and the common stream, which reads on at `common`, has come to where it serves again."""
        return self.until is not None and common >= self.until and self.tracker.open_count == 0

    def to_json(self) -> bytes:
        offset, metadata = self.tracker.commit(MAX_CURSOR_CHARS)
        return orjson.dumps(
            {
                "subscription": self.subscription,
                "topic": self.topic,
                "offset": offset,
                "settled": metadata,
                "until": self.until,
            }
        )


def lag_key(subscription: str, topic: str) -> bytes:
    return f"{subscription}/{topic}".encode()


def restore(record: bytes, common: dict[str, Position]) -> Lag:
    """The cursor as it goes on in this process. One that had caught up is behind again: its last deliveries come first, and what the
    common stream had served since (`common`, by topic) is not read by it in vain.
    Raises ValueError on what is no cursor."""
    try:
        document: dict[str, Any] = orjson.loads(record)
        subscription, topic = str(document["subscription"]), str(document["topic"])
        own = decode(int(document["offset"]), document["settled"])
        until = document["until"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"not a cursor: {error}") from error
    ended = until is not None and not own.open
    if until is not None and topic in common:
        own = own.followed_by(common[topic].of(subscription))
    return Lag(subscription, topic, Tracker(own.offset, own), ended=ended)

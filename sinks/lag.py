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

_VERSION = 1
"""Of a cursor's form. A larger one is of a newer version: the partition waits for a worker of that version."""
MAX_CURSOR_CHARS = 256 * 1024
"""A cursor is a record of its own: room for each open delivery of one endpoint, however far apart they stand."""


@dataclass(slots=True)
class Lag:
    """One subscription's cursor in one partition.

    `until`: it has caught up, and the common stream serves it from this offset on, while the cursor's last deliveries end. `ended`: it
    had nothing open when it was last written, and had caught up. `stale`: open deliveries have been dropped from memory, and must be
    read again. `waits`: the next event can be read by a newer version only.
    """

    subscription: str
    topic: str
    tracker: Tracker
    until: int | None = None
    ended: bool = False
    dirty: bool = field(default=True)
    stale: bool = False
    waits: bool = False

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
                "version": _VERSION,
                "subscription": self.subscription,
                "topic": self.topic,
                "offset": offset,
                "settled": metadata,
                "until": self.until,
            }
        )


@dataclass(frozen=True, slots=True)
class LostCursor:
    """A record in the topic of cursors that nobody can read: `subscription` and `topic` by its key."""

    subscription: str
    topic: str
    key: bytes | None
    value: bytes
    error: str


def lag_key(subscription: str, topic: str) -> bytes:
    return f"{subscription}/{topic}".encode()


def named_in(key: bytes | None) -> tuple[str, str]:
    """Subscription and topic of a cursor's key; empty texts where it has none."""
    subscription, _, topic = (key or b"").decode("utf-8", "replace").rpartition("/")
    return subscription, topic


class NewerCursor(Exception):
    """A cursor that a newer version of changecast wrote, in a form that this one can't know."""


def restore(record: bytes, common: dict[str, Position]) -> Lag:
    """The cursor as it goes on in this process. One that had caught up is behind again: its last deliveries come first, and what the
    common stream had served since (`common`, by topic) is not read by it in vain.
    Raises ValueError on what is no cursor, NewerCursor. A cursor without a version is of the first."""
    document = _document(record)
    subscription, topic, until = document["subscription"], document["topic"], document.get("until")
    own = decode(document["offset"], document["settled"])
    ended = until is not None and not own.open
    if until is not None and topic in common:
        own = own.followed_by(common[topic].of(subscription))
    return Lag(subscription, topic, Tracker(own.offset, own), ended=ended)


def _document(record: bytes) -> dict[str, Any]:
    """The fields of a cursor, checked. Others are ignored."""
    try:
        document = orjson.loads(record)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ValueError("no mapping")  # noqa: TRY004 - a record, not an argument
    version = document.get("version", _VERSION)
    if isinstance(version, int) and version > _VERSION:
        raise NewerCursor(f"a cursor of version {version} was written by a newer version")
    kinds = {"subscription": str, "topic": str, "offset": int, "settled": str, "until": int | None}
    for name, kind in kinds.items():
        if not isinstance(document.get(name), kind) or isinstance(document.get(name), bool):
            raise ValueError(f"{name} is missing, or of the wrong type")  # noqa: TRY004
    if document["offset"] < 0:
        raise ValueError("a negative offset")
    return document

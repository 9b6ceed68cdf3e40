"""How far a provider's feeds have been read, by what their events say: the clock by which known ids grow old."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from schemas.event import ObservedEvent
from streams import raw
from streams.dedupe import Mark, seen_at_of
from streams.tables import Write

KEY = b"\0feed-time:"
"""What the keys begin with; no event's id does, so no mark is taken for one."""
KEEP_EVERY = timedelta(minutes=1)
"""How far behind a kept time may be: nothing beside a window of days."""
_KEEP_EVERY_MS = int(KEEP_EVERY / timedelta(milliseconds=1))
_FEED = "feed"
"""The type of a gap's subject."""


class FeedTimes:
    """In ms, for each entity type by itself. TMDB has several feeds, and one may stand still for longer than the dedupe window (its
    list fails, or it was not watched) while the others go on: what it brings again then must be known still. No type is of two feeds.

    An event's id begins with its subject, so it tells the type.

    The times are kept beside the marks that grow old by them: a new owner of the partition would else take an event of long ago that it
    meets first (of a backfill) for as old as the feed, and forget it as soon as the feed goes on.
    """

    def __init__(self) -> None:
        self._ms: dict[str, int] = {}
        self._kept_ms: dict[str, int] = {}

    def restore(self, kept: Iterable[tuple[bytes, bytes]]) -> None:
        """What an earlier owner has kept: the rows whose keys begin with `KEY`."""
        for key, value in kept:
            kind = key.removeprefix(KEY).decode()
            self._ms[kind] = self._kept_ms[kind] = seen_at_of(value)

    def to_keep(self) -> list[Write]:
        """Those that have moved by more than `KEEP_EVERY` since they were kept, which they count as from here on."""
        moved = {kind: ms for kind, ms in self._ms.items() if ms >= self._kept_ms.get(kind, 0) + _KEEP_EVERY_MS}
        self._kept_ms |= moved
        return [Write(KEY + kind.encode(), Mark(ms).pack()) for kind, ms in moved.items()]

    def note(self, event: ObservedEvent) -> None:
        kind = _type_of(event.id)
        self._ms[kind] = max(self._ms.get(kind, 0), raw.feed_time_ms(event))

    def of(self, event_id: str) -> int:
        """How far the feed of this id has come; 0 where nothing has come of it since this process began. A gap has no time of its own,
        and grows old with all of them."""
        kind = _type_of(event_id)
        return max(self._ms.values(), default=0) if kind == _FEED else self._ms.get(kind, 0)


def _type_of(event_id: str) -> str:
    return event_id.split(":", 2)[1] if ":" in event_id else ""

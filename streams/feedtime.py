"""How far a provider's feeds have been read, by what their events say: the clock by which known ids grow old."""

from __future__ import annotations

from schemas.event import ObservedEvent
from streams import raw

_FEED = "feed"
"""The type of a gap's subject."""


class FeedTimes:
    """In ms, for each entity type by itself. TMDB has several feeds, and one may stand still for longer than the dedupe window (its
    list fails, or it was not watched) while the others go on: what it brings again then must be known still. No type is of two feeds.

    An event's id begins with its subject, so it tells the type.
    """

    def __init__(self) -> None:
        self._ms: dict[str, int] = {}

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

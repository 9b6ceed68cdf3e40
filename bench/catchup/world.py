"""What has changed while nobody polled: entities of TMDB with their items, entries of PBS's changelog, all made of their numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self

KINDS = ("movie", "tv")
PROBES_FROM = 900_000_000
"""Ids of movies that change while the outage is walked."""
_BURST = timedelta(minutes=1)
_TEXT = "What happens, told in some more words than before. " * 4


@dataclass(frozen=True)
class Outage:
    """Nobody polled from `began` to `ended`, whole seconds. Of each of TMDB's kinds `entities` changed, `items` times each within
    a minute; PBS's changelog has `entries`. All are spread evenly over the time."""

    began: datetime
    ended: datetime
    entities: int
    items: int
    entries: int

    @property
    def of_tmdb(self) -> int:
        return len(KINDS) * self.entities * self.items

    @property
    def changes(self) -> int:
        return self.of_tmdb + self.entries

    def as_json(self) -> str:
        numbers = {"entities": self.entities, "items": self.items, "entries": self.entries}
        return json.dumps({"began": self.began.isoformat(), "ended": self.ended.isoformat(), **numbers})

    @classmethod
    def from_json(cls, text: str) -> Self:
        fields = json.loads(text)
        return cls(datetime.fromisoformat(fields.pop("began")), datetime.fromisoformat(fields.pop("ended")), **fields)

    def item_number(self, kind: str, entity: int, item: int) -> int:
        """Counts through all items of TMDB."""
        return (KINDS.index(kind) * self.entities + entity) * self.items + item

    def item_time(self, entity: int, item: int) -> datetime:
        first = self.began + (self.ended - self.began - _BURST) * entity / self.entities
        return (first + _BURST * item / self.items).replace(microsecond=0)

    def items_of(self, kind: str, entity: int, start: date, end: date) -> list[dict[str, object]]:
        """As TMDB tells them, of the days from `start` up to before `end`."""
        times = ((item, self.item_time(entity, item)) for item in range(self.items))
        return [tmdb_item(self.item_number(kind, entity, item), time) for item, time in times if start <= time.date() < end]

    def listed(self) -> dict[date, list[int]]:
        """The entities of one kind by the days on which they changed."""
        days: dict[date, list[int]] = {}
        for entity in range(self.entities):
            for day in {self.item_time(entity, 0).date(), self.item_time(entity, self.items - 1).date()}:
                days.setdefault(day, []).append(entity)
        return days

    def entry_time(self, number: int) -> datetime:
        return self.began + (self.ended - self.began) * number / self.entries

    def entries_from(self, since: datetime | None) -> int:
        """The number of the first entry that is not before `since`."""
        if since is None or since <= self.began:
            return 0
        near = int((since - self.began) / (self.ended - self.began) * self.entries)
        return next(number for number in _upwards(max(near - 1, 0)) if number >= self.entries or self.entry_time(number) >= since)


def tmdb_item(number: int, time: datetime) -> dict[str, object]:
    return {
        "id": f"{number:024x}",
        "action": "updated",
        "time": f"{time:%Y-%m-%d %H:%M:%S} UTC",
        "iso_639_1": "en",
        "iso_3166_1": "US",
        "value": f"{_TEXT}({number})",
        "original_value": _TEXT,
    }


def pbs_entry(number: int, time: datetime) -> dict[str, object]:
    """Each entry is of an asset of its own, whose id begins with the number."""
    return {
        "type": "asset",
        "id": f"{number:08x}-5e7d-4ba1-a4c5-cd0d5d1a2f3e",
        "attributes": {"action": "update", "timestamp": time.isoformat().replace("+00:00", "Z"), "updated_fields": ["title"]},
        "links": {"self": f"https://media.services.pbs.org/api/v1/assets/{number:08x}/"},
    }


def number_of_item(event_id: bytes) -> int:
    return int(event_id[-24:], 16)


def number_of_entry(subject: bytes) -> int:
    """Of `pbs:asset:0000002a-…`."""
    return int(subject.split(b":", 2)[2][:8], 16)


def _upwards(number: int) -> Iterator[int]:
    while True:
        yield number
        number += 1

"""Entities whose deletion was published: told once over all days on which they are listed, and as created when they are back.

    listed on the 1st and the 2nd, not found       gone:2026-03-01        once
    found on the 5th                                back:2026-03-01        created
    not found on the 5th                            gone:2026-03-05
    found, and not found again on the 5th           back:2026-03-05, gone:2026-03-05:2

Kept in the feed's cursor, so that a restart does not publish them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

KEPT = 2_000
"""Departures remembered, the latest: a clean-up takes some hundred, and a list names an entity for two days."""


@dataclass(frozen=True)
class Departure:
    """`day`: on which the entity was listed when it was found to be gone; `times`: which deletion of that day it is; `is_back`: it has
    been found since."""

    day: date
    times: int = 1
    is_back: bool = False

    @property
    def mark(self) -> str:
        """What tells this deletion from others of the entity."""
        return self.day.isoformat() if self.times == 1 else f"{self.day.isoformat()}:{self.times}"


class Departures:
    """By id, in the order of their deletion."""

    def __init__(self, kept: Iterable[Mapping[str, Any]] = ()) -> None:
        self._known = {
            int(one["id"]): Departure(date.fromisoformat(one["day"]), int(one.get("times", 1)), bool(one.get("back", False)))
            for one in kept
        }

    def told(self, entity_id: int) -> Departure | None:
        """The deletion that was published of an entity which has not been found since."""
        known = self._known.get(entity_id)
        return None if known is None or known.is_back else known

    def next(self, entity_id: int, day: date) -> Departure:
        """The deletion that is to be published now."""
        known = self._known.get(entity_id)
        return Departure(day, known.times + 1) if known is not None and known.day == day else Departure(day)

    def left(self, entity_id: int, departure: Departure) -> None:
        """It was published."""
        self._known.pop(entity_id, None)
        self._known[entity_id] = departure
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]

    def came_back(self, entity_id: int) -> None:
        if (known := self._known.get(entity_id)) is not None:
            self._known[entity_id] = replace(known, is_back=True)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"id": entity_id, "day": one.day.isoformat(), "times": one.times, "back": one.is_back}
            for entity_id, one in self._known.items()
        ]

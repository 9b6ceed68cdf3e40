"""Entity URNs: `<provider>:<entity type>:<id>`, e.g. `tmdb:episode:5480121`. The key of every event's record."""

from __future__ import annotations

from dataclasses import dataclass

ENTITY_TYPES = frozenset(
    {"movie", "series", "season", "episode", "special", "person", "franchise", "collection", "asset", "station"}
)
"""The words that all providers share; other types pass through in lower case."""


@dataclass(frozen=True, slots=True)
class Urn:
    provider: str
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.type}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Urn:
        """`tmdb:movie:550`. The id may hold colons and slashes. Raises ValueError that shows the form."""
        parts = text.split(":", 2)
        if len(parts) != 3 or not all(parts):
            raise ValueError(f"{text!r} is not an entity URN: it has the form provider:type:id, as tmdb:movie:550")
        return cls(*parts)

"""Where an entity is: its route, its page on the website, and the numbers by which TMDB finds seasons and episodes."""

from __future__ import annotations

from dataclasses import dataclass

from producers.tmdb.events import entity
from schemas.event import Entity, Parent

WEBSITE = "https://www.themoviedb.org"

_WORD = {"movie": "movie", "series": "tv", "person": "person"}


@dataclass(frozen=True)
class Place:
    """`series`/`season`/`episode` as TMDB's routes name them: the series' id, and the numbers below it."""

    path: str

    @property
    def url(self) -> str:
        return f"{WEBSITE}/{self.path}"


def series_place(series_id: str) -> Place:
    return Place(f"tv/{series_id}")


def season_place(series_id: str, season: int) -> Place:
    return Place(f"tv/{series_id}/season/{season}")


def episode_place(series_id: str, season: int, episode: int) -> Place:
    return Place(f"tv/{series_id}/season/{season}/episode/{episode}")


def place_of(subject: Entity) -> Place | None:
    """None for a season or an episode whose numbers are not known: TMDB has no route by its id alone."""
    if subject.type in _WORD:
        return Place(f"{_WORD[subject.type]}/{subject.id}")
    series, season = parent(subject, "series"), parent(subject, "season")
    if subject.type == "season" and series is not None and subject.number is not None:
        return season_place(series.id, subject.number)
    if subject.type == "episode" and series and season and season.number is not None and subject.number is not None:
        return episode_place(series.id, season.number, subject.number)
    return None


def parent(subject: Entity, shared_type: str) -> Parent | None:
    return next((above for above in subject.parents if above.type == shared_type), None)


def numbered(subject: Entity) -> tuple[str, int, int | None] | None:
    """Series id, season and episode number of an id such as `1399/1/2`: a person names an episode so, having no other way."""
    if subject.type not in ("series", "season", "episode") or "/" not in subject.id:
        return None
    series_id, *numbers = subject.id.split("/")
    if not all(part.isascii() and part.isdigit() for part in (series_id, *numbers)) or len(numbers) > 2:
        raise ValueError(
            f"tmdb:{subject.type}:{subject.id} is not series/season or series/season/episode, as tmdb:series:1399/1/2"
        )
    return series_id, int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else None


def season_entity(series_id: str, season_id: int, number: int) -> Entity:
    return entity("season", season_id, number, (Parent(type="series", id=series_id),))


def episode_entity(series_id: str, season_id: int, season: int, episode_id: int, number: int) -> Entity:
    above = (Parent(type="series", id=series_id), Parent(type="season", id=str(season_id), number=season))
    return entity("episode", episode_id, number, above)

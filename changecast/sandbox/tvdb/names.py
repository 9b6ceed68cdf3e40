"""Names for TheTVDB's sandbox: real ids and names where the author knew them, descriptions of the sandbox's own."""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """`updated`: how many minutes before the sandbox's first start the series was updated last.
    `episodes`: (season, first episode's id, names)."""

    id: int
    name: str
    slug: str
    aired: str
    network: str
    imdb_id: str
    status: str
    updated: int
    overviews: dict[str, str]
    episodes: tuple[tuple[int, int, tuple[str, ...]], ...]


_SCRUBS = (
    "My First Day",
    "My Mentor",
    "My Best Friend's Mistake",
    "My Old Lady",
    "My Two Dads",
    "My Bad",
    "My Super Ego",
    "My Fifteen Minutes",
    "My Day Off",
    "My Nickname",
    "My Own Personal Jesus",
    "My Blind Date",
    "My Balancing Act",
    "My Drug Buddy",
    "My Bed Banter & Beyond",
    "My Heavy Meddle",
    "My Student",
    "My Tuscaloosa Heart",
    "My Old Man",
    "My Way or the Highway",
    "My Sacrificial Clam",
    "My Occurrence",
    "My Hero",
    "My Last Day",
)

_LATER_SCRUBS = tuple(
    (season, 184627 + 24 * (season - 2), tuple(f"My Shift, Part {number}" for number in range(1, 25))) for season in range(2, 6)
)
"""Seasons whose names the sandbox makes up: they are there so that a list of episodes has a second page."""

SERIES = (
    Sample(
        76156,
        "Scrubs",
        "scrubs",
        "2001-10-02",
        "NBC",
        "tt0285403",
        "Ended",
        35,
        {
            "en": "Young doctors learn their trade at Sacred Heart, between daydreams and night shifts.",
            "fr": "De jeunes médecins apprennent leur métier à l'hôpital du Sacré-Cœur.",
            "es": "Unos médicos jóvenes aprenden su oficio en el hospital Sagrado Corazón.",
        },
        ((1, 184602, _SCRUBS), *_LATER_SCRUBS),
    ),
    Sample(
        121361,
        "Game of Thrones",
        "game-of-thrones",
        "2011-04-17",
        "HBO",
        "tt0944947",
        "Ended",
        95,
        {"en": "Noble families fight over a throne while winter comes from the north."},
        ((1, 3254641, ("Winter Is Coming", "The Kingsroad", "Lord Snow")),),
    ),
    Sample(
        78874,
        "Firefly",
        "firefly",
        "2002-09-20",
        "FOX",
        "tt0303461",
        "Ended",
        300,
        {"en": "A crew of nine lives on a small ship at the edge of the known worlds."},
        ((1, 297989, ("Serenity", "The Train Job", "Bushwhacked", "Shindig", "Safe")),),
    ),
    Sample(
        73739,
        "Lost",
        "lost",
        "2004-09-22",
        "ABC (US)",
        "tt0411008",
        "Ended",
        1100,
        {"en": "The survivors of a crash find that their island was not empty."},
        ((1, 127131, ("Pilot (1)", "Pilot (2)", "Tabula Rasa", "Walkabout")),),
    ),
    Sample(
        371980,
        "Severance",
        "severance",
        "2022-02-18",
        "Apple TV+",
        "tt11280740",
        "Continuing",
        6 * 24 * 60,
        {"en": "Office workers agree to have their memories of work and of home kept apart."},
        ((1, 8472360, ("Good News About Hell", "Half Loop", "In Perpetuity")),),
    ),
)

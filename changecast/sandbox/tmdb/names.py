"""Names for TMDB's sandbox. Ids, titles and dates are the real ones where the author knew them; the descriptions are
the sandbox's own words. What the reference pages give is marked in `samples` and `sample_items`."""

from __future__ import annotations

from typing import NamedTuple


class SeriesSample(NamedTuple):
    """`seasons`: (season id, season number, first episode's id, episode names)."""

    id: int
    name: str
    aired: str
    network: str
    status: str
    imdb_id: str
    tvdb_id: int
    overview: str
    seasons: tuple[tuple[int, int, int, tuple[str, ...]], ...]


MOVIES = (
    (
        558449,
        "Gladiator II",
        "2024-11-05",
        "tt9218128",
        148,
        "Prepare to be entertained.",
        "Years after Maximus, a captured soldier fights his way through the Colosseum of a failing Rome.",
    ),
    (
        98,
        "Gladiator",
        "2000-05-04",
        "tt0172495",
        155,
        "What we do in life echoes in eternity.",
        "A betrayed general returns to Rome as a slave of the arena.",
    ),
    (
        550,
        "Fight Club",
        "1999-10-15",
        "tt0137523",
        139,
        "Mischief. Mayhem. Soap.",
        "A sleepless office worker and a soap maker start a club with few rules.",
    ),
    (
        603,
        "The Matrix",
        "1999-03-31",
        "tt0133093",
        136,
        "Believe the unbelievable.",
        "A programmer learns that the world he knows is a program too.",
    ),
    (
        27205,
        "Inception",
        "2010-07-15",
        "tt1375666",
        148,
        "Your mind is the scene of the crime.",
        "A thief who works in dreams is asked to plant an idea instead of stealing one.",
    ),
    (
        155,
        "The Dark Knight",
        "2008-07-16",
        "tt0468569",
        152,
        "Welcome to a world without rules.",
        "A masked vigilante meets a criminal who only wants to see what happens.",
    ),
    (
        157336,
        "Interstellar",
        "2014-11-05",
        "tt0816692",
        169,
        "",
        "A farmer who was a pilot leaves a dying Earth to look for another.",
    ),
    (
        496243,
        "Parasite",
        "2019-05-30",
        "tt6751668",
        133,
        "Act like you own the place.",
        "A poor family finds work in a rich one's house, one by one.",
    ),
    (
        129,
        "Spirited Away",
        "2001-07-20",
        "tt0245429",
        125,
        "",
        "A girl takes work at a bath house of spirits to win her parents back.",
    ),
    (
        76341,
        "Mad Max: Fury Road",
        "2015-05-13",
        "tt1392190",
        121,
        "What a lovely day.",
        "A driver and a drifter flee across the desert, and turn round.",
    ),
    (
        438631,
        "Dune",
        "2021-09-15",
        "tt1160419",
        155,
        "It begins.",
        "The heir of a noble house comes to a desert planet that everybody wants.",
    ),
    (
        693134,
        "Dune: Part Two",
        "2024-02-27",
        "tt15239678",
        167,
        "Long live the fighters.",
        "Among the desert's people, an exile chooses between love and what was foretold.",
    ),
)

SERIES = (
    SeriesSample(
        1399,
        "Game of Thrones",
        "2011-04-17",
        "HBO",
        "Ended",
        "tt0944947",
        121361,
        "Noble families fight over a throne while winter comes from the north.",
        (
            (
                3624,
                1,
                63056,
                (
                    "Winter Is Coming",
                    "The Kingsroad",
                    "Lord Snow",
                    "Cripples, Bastards, and Broken Things",
                    "The Wolf and the Lion",
                    "A Golden Crown",
                    "You Win or You Die",
                    "The Pointy End",
                    "Baelor",
                    "Fire and Blood",
                ),
            ),
            (3625, 2, 63066, ("The North Remembers", "The Night Lands", "What Is Dead May Never Die")),
        ),
    ),
    SeriesSample(
        95396,
        "Severance",
        "2022-02-17",
        "Apple TV+",
        "Continuing",
        "tt11280740",
        371980,
        "Office workers agree to have their memories of work and of home kept apart.",
        (
            (140531, 1, 1982925, ("Good News About Hell", "Half Loop", "In Perpetuity", "The You You Are")),
            (345781, 2, 5475278, ("Hello, Ms. Cobel", "Goodbye, Mrs. Selvig", "Who Is Alive?", "Woe's Hollow")),
        ),
    ),
    SeriesSample(
        1396,
        "Breaking Bad",
        "2008-01-20",
        "AMC",
        "Ended",
        "tt0903747",
        81189,
        "A chemistry teacher who is ill turns to making drugs, and finds that he likes it.",
        ((3572, 1, 62085, ("Pilot", "Cat's in the Bag...", "...And the Bag's in the River", "Cancer Man")),),
    ),
    SeriesSample(
        66732,
        "Stranger Things",
        "2016-07-15",
        "Netflix",
        "Continuing",
        "tt4574334",
        305288,
        "A boy vanishes, a girl with a shaved head appears, and a small town has a large secret.",
        (
            (
                77680,
                1,
                1198665,
                (
                    "Chapter One: The Vanishing of Will Byers",
                    "Chapter Two: The Weirdo on Maple Street",
                    "Chapter Three: Holly, Jolly",
                ),
            ),
        ),
    ),
)

PERSONS = (
    (934, "Russell Crowe", "1964-04-07", "Wellington, New Zealand", "Acting", "An actor from New Zealand."),
    (578, "Ridley Scott", "1937-11-30", "South Shields, England, UK", "Directing", "An English film director."),
    (
        5292,
        "Denzel Washington",
        "1954-12-28",
        "Mount Vernon, New York, USA",
        "Acting",
        "An American actor and director.",
    ),
    (22970, "Peter Dinklage", "1969-06-11", "Morristown, New Jersey, USA", "Acting", "An American actor."),
    (1223786, "Emilia Clarke", "1986-10-23", "London, England, UK", "Acting", "An English actress."),
    (6384, "Keanu Reeves", "1964-09-02", "Beirut, Lebanon", "Acting", "A Canadian actor."),
)

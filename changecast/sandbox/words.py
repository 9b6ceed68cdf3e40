"""Words for edits that read like real ones. All sentences are the sandbox's own."""

from __future__ import annotations

from random import Random
from typing import Any

IMAGES = {
    "poster": "poster",
    "backdrop": "backdrop",
    "still": "still",
    "title_logo": "logo",
    "profile": "portrait",
}

VIDEOS = ("Trailer", "Teaser", "Featurette", "Behind the Scenes", "Clip", "Bloopers")

CHARACTERS = (
    "Innkeeper",
    "Young Anna",
    "Dr. Weiss",
    "Town Crier",
    "Detective Morales",
    "The Stranger",
    "Nurse Okafor",
    "Captain Lindqvist",
    "Radio Voice (voice)",
    "Waiter (uncredited)",
)

KEYWORDS = (
    (200918, "angry"),
    (325791, "intense"),
    (325823, "suspenseful"),
    (325765, "dramatic"),
    (325811, "serious"),
)

TITLE_FIRST = ("The Last", "A Quiet", "Northern", "The Glass", "Midnight", "Paper", "The Seventh", "Burning", "Low")
TITLE_LAST = ("Harbour", "Winter", "Orchard", "Signal", "River", "Lanterns", "Meridian", "Garden", "Tide", "Archive")

_WHO = ("A young cellist", "Two sisters", "A retired judge", "The night shift", "An old sailor", "A small town")
_DOES = ("finds", "must hide", "searches for", "returns with", "loses", "inherits")
_WHAT = ("a letter that was never sent", "a map", "the only witness", "a house on the coast", "a forgotten recording")

_CLOSINGS = (
    "Nothing is as it was by the morning.",
    "Old loyalties are put to the test.",
    "A promise comes due.",
    "Not everyone will come back.",
    "Help comes from where nobody looked.",
    "The truth has waited long enough.",
    "And then the lights go out.",
    "One decision changes everything.",
)

_TAGLINES = ("Nobody leaves.", "Listen closely.", "Some doors stay shut.", "The past keeps time.", "Look again.")


def sentence(random: Random) -> str:
    return f"{random.choice(_WHO)} {random.choice(_DOES)} {random.choice(_WHAT)}."


def reworded(random: Random, before: str) -> str:
    """The text with another closing sentence; never the same as before."""
    body = before
    for closing in _CLOSINGS:
        body = body.removesuffix(closing).rstrip()
    choices = [closing for closing in _CLOSINGS if not before.endswith(closing)]
    return f"{body or sentence(random)} {random.choice(choices)}"


def tagline(random: Random, before: Any) -> str:
    return random.choice([line for line in _TAGLINES if line != before])


def minutes(random: Random, before: Any) -> int:
    return max(1, int(before or 100) + random.choice((-3, -2, -1, 1, 2, 3)))

"""What a secret looks like in a text once its encodings are decoded: itself, and its base64 inside something longer."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import unquote

WHOLE_WORDS_BELOW = 8
"""Shorter values occur in ordinary words: they count as whole words only."""

_DROPPED = (0, 2, 3)
"""Characters at the front of a base64 text that depend on the 0, 1 or 2 bytes before the secret."""


def plain_forms(secret: str) -> set[str]:
    """The value, and where it is percent-encoded itself (a webhook's path) what that stands for."""
    return {form for form in (secret, unquote(secret), secret.strip()) if form}


def base64_cores(secret: str) -> Iterator[str]:
    """The part of a base64 text that is the same whatever stands before and after the secret, for each of the three alignments:
    `Basic` of any user, or a whole request in base64. In the alphabets of RFC 4648, the URL-safe one too."""
    for before, dropped in enumerate(_DROPPED):
        encoded = base64.b64encode(b"\0" * before + secret.encode("utf-8", "surrogatepass")).decode()
        whole = (before + len(secret.encode("utf-8", "surrogatepass"))) * 8 // 6
        core = encoded[dropped:whole]
        yield core
        if (url_safe := core.translate(_URL_SAFE)) != core:
            yield url_safe


_URL_SAFE = str.maketrans("+/", "-_")


def base64_words(user: str, secret: str) -> Iterator[str]:
    """For a secret too short for cores: its base64, and that of `user:secret`."""
    for text in (secret, f"{user}:{secret}"):
        yield base64.b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")

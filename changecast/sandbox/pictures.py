"""Small pictures, so that every image address of the sandbox shows something: hills under a sky, other ones for each address."""

from __future__ import annotations

import colorsys
import hashlib
import math
import struct
import zlib
from functools import lru_cache
from random import Random

WIDTH, HEIGHT = 320, 180

_RIDGES = 3
_RIDGE, _SUN = HEIGHT + 1, HEIGHT + 1 + _RIDGES
"""Places in the palette: 1 to HEIGHT for the sky, a colour a row; then the ridges, the farthest first; then the sun."""

Colour = tuple[int, int, int]


@lru_cache(maxsize=512)
def picture(path: str) -> bytes:
    """A PNG of 320x180, the same for the same path always."""
    chance = Random(hashlib.sha256(path.encode()).digest())
    hue = chance.random()
    sun = (chance.randrange(40, WIDTH - 40), chance.randrange(30, 80), chance.randrange(12, 22))
    rows = _rows([_ridge(chance, number) for number in range(_RIDGES)], sun)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", b"".join(bytes(colour) for colour in _palette(hue)))
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def _palette(hue: float) -> list[Colour]:
    sky = [_colour(hue + 0.12 * y / HEIGHT, 0.5 - 0.35 * y / HEIGHT, 0.85 + 0.15 * y / HEIGHT) for y in range(HEIGHT)]
    ridges = [_colour(hue + 0.05 * number, 0.35 + 0.1 * number, 0.66 - 0.2 * number) for number in range(_RIDGES)]
    return [(0, 0, 0), *sky, *ridges, _colour(hue + 0.12, 0.1, 1.0)]


def _ridge(chance: Random, number: int) -> list[int]:
    """The row in which the ridge begins, for each column. Nearer ones are lower."""
    waves = [(chance.uniform(5, 22) / n, n * chance.uniform(0.6, 1.4), chance.uniform(0, math.tau)) for n in (1, 2, 5)]
    middle = HEIGHT * (0.55 + 0.15 * number)
    return [
        round(middle + sum(height * math.sin(math.tau * turns * x / WIDTH + phase) for height, turns, phase in waves))
        for x in range(WIDTH)
    ]


def _rows(ridges: list[list[int]], sun: tuple[int, int, int]) -> bytes:
    """Each row as PNG wants it: a filter byte (none), then a place in the palette for each pixel."""
    begins: dict[int, list[tuple[int, int]]] = {}
    for number, ridge in enumerate(ridges):
        for x, y in enumerate(ridge):
            begins.setdefault(max(y, 0), []).append((x, _RIDGE + number))
    ground = bytearray(WIDTH)  # 0: still sky
    rows = bytearray()
    for y in range(HEIGHT):
        for x, colour in begins.get(y, ()):
            ground[x] = max(ground[x], colour)
        row = bytearray(ground)
        left, right = _across(sun, y)
        row[left:right] = _sky_as(row[left:right], _SUN)
        rows += b"\x00" + _sky_as(row, y + 1)
    return bytes(rows)


def _sky_as(row: bytes | bytearray, colour: int) -> bytes:
    return bytes(row).replace(b"\x00", bytes((colour,)))


def _across(sun: tuple[int, int, int], y: int) -> tuple[int, int]:
    """The columns that the sun fills in a row."""
    x, middle, radius = sun
    half = round(math.sqrt(max(radius**2 - (y - middle) ** 2, 0)))
    return x - half, x + half


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

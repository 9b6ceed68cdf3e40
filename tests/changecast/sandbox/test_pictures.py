from __future__ import annotations

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from changecast.sandbox.pictures import HEIGHT, WIDTH, picture


def chunks(png: bytes) -> dict[bytes, bytes]:
    found, place = {}, 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kind, content = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert zlib.crc32(kind + content) == struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0]
        found[kind], place = content, place + 12 + length
    return found


@given(st.text())
def test_each_path_has_a_picture_of_the_said_size_and_only_colours_of_its_palette(path: str) -> None:
    png = picture(path)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    parts = chunks(png)
    assert struct.unpack(">II", parts[b"IHDR"][:8]) == (WIDTH, HEIGHT)
    rows = zlib.decompress(parts[b"IDAT"])
    assert len(rows) == HEIGHT * (WIDTH + 1)
    assert max(rows) < len(parts[b"PLTE"]) // 3


def test_a_path_keeps_its_picture_and_another_has_another() -> None:
    first = picture("/a.jpg")
    picture.cache_clear()
    assert picture("/a.jpg") == first
    assert picture("/b.jpg") != first

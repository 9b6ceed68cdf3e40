"""Finds secrets in a text, however many there are: by a look-up of the text's characters at each place, not by trying each secret.

A regular expression of all secrets takes 3 s to compile for a thousand subscriptions, and 6 ms for a text of 2 KiB; this takes a
fraction of a millisecond for any number, and a secret can be added at any time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from schemas.redaction.decodings import LONGEST_BROKEN, without_broken_end
from schemas.redaction.needles import WHOLE_WORDS_BELOW, base64_cores, base64_words, plain_forms

KEPT_OF_A_CUT = 3
"""Characters of a secret that may remain where a text was cut within it: too few to tell it from an ordinary word."""
_HEAD = WHOLE_WORDS_BELOW
"""Characters by which a place is looked up. Every needle that counts anywhere is at least as long."""
_BASE64 = re.compile(r"[A-Za-z0-9+/=_-]")


@dataclass(frozen=True)
class Secret:
    """`user`: the other half of a pair, as HTTP's Basic has it."""

    value: str
    user: str = ""


class Index:
    """What secrets look like. They may be added from any thread while others search."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self.longest = 0
        self.has_blank = False
        self._by_head: dict[str, list[str]] = {}
        self._by_beginning: dict[str, list[str]] = {}
        self._cores: set[str] = set()
        self._words: set[str] = set()
        self._encoded_words: set[str] = set()
        self._word_pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[Secret]) -> None:
        words, encoded = set(self._words), set(self._encoded_words)
        for secret in secrets:
            for form in plain_forms(secret.value):
                self.has_blank = self.has_blank or " " in form
                if len(form) < WHOLE_WORDS_BELOW:
                    words.add(form)
                    encoded.update(base64_words(secret.user, form))
                    continue
                self._add(form)
                for core in base64_cores(form):
                    self._cores.add(core)
                    self._add(core)
        if words != self._words or encoded != self._encoded_words:
            self._words, self._encoded_words = words, encoded
            self._word_pattern = _word_pattern(words, encoded)

    def __bool__(self) -> bool:
        return bool(self._by_head or self._words)

    def found(self, text: str) -> Iterator[tuple[int, int]]:
        """Where secrets stand. They may overlap: two may share their ends."""
        heads = self._by_head
        if heads:
            for start in [at for at in range(len(text) - _HEAD + 1) if text[at : at + _HEAD] in heads]:
                matching = [needle for needle in heads[text[start : start + _HEAD]] if text.startswith(needle, start)]
                if matching:
                    needle = max(matching, key=len)
                    yield (
                        _whole_base64(text, start, start + len(needle)) if needle in self._cores else (start, start + len(needle))
                    )
        if self._word_pattern is not None:
            yield from (match.span() for match in self._word_pattern.finditer(text))

    def begun(self, text: str) -> int | None:
        """Where a secret begins that the end of the text cuts off."""
        size, whole = KEPT_OF_A_CUT + 1, without_broken_end(text)
        for start in range(max(0, len(text) - self.longest - LONGEST_BROKEN), len(whole) - size + 1):
            ends = (text[start:], whole[start:])
            if any(needle.startswith(ends) for needle in self._by_beginning.get(text[start : start + size], ())):
                return start
        return None

    def _add(self, needle: str) -> None:
        known = self._by_head.setdefault(needle[:_HEAD], [])
        if needle not in known:
            known.append(needle)
            self._by_beginning.setdefault(needle[: KEPT_OF_A_CUT + 1], []).append(needle)
            self.longest = max(self.longest, len(needle))


def _whole_base64(text: str, start: int, end: int) -> tuple[int, int]:
    """The base64 around a core: what stands before and after the secret in it hides some of its bits."""
    while start > 0 and _BASE64.match(text[start - 1]):
        start -= 1
    while end < len(text) and _BASE64.match(text[end]):
        end += 1
    return start, end


def _word_pattern(words: Iterable[str], encoded_words: Iterable[str]) -> re.Pattern[str] | None:
    parts = []
    if short := sorted(words, key=len, reverse=True):
        parts.append(rf"(?<!\w)(?:{'|'.join(map(re.escape, short))})(?!\w)")
    if encoded := sorted(encoded_words, key=len, reverse=True):
        parts.append(rf"(?<![\w+/-])(?:{'|'.join(map(re.escape, encoded))})(?![\w+/-])")
    return re.compile("|".join(parts)) if parts else None

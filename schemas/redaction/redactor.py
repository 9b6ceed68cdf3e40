"""Replaces secrets in texts that leave the process: logs, records, headers, answers shown to people."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.redaction.decodings import LONGEST_BROKEN, Decoding, decodings, without_broken_end
from schemas.redaction.needles import WHOLE_WORDS_BELOW, base64_cores, base64_words, pattern_of, plain_forms

MASK = "***"

_OBTAINED = 256
"""Tokens of logins that are remembered, the newest: a provider's lasts a day, and an old one may still stand in an error."""
_PREFIX = 4
"""As much of a secret may remain where a text was cut within it."""
_BASE64 = re.compile(r"[A-Za-z0-9+/=_-]")
_REACH = 4096
"""Characters read behind a cut, so that a secret there is seen whole."""


@dataclass(frozen=True)
class Secret:
    """`user`: the other half of a pair, as HTTP's Basic has it."""

    value: str
    user: str = ""


class _Index:
    """What all secrets look like, compiled."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        plain: set[str] = set()
        self.cores: set[str] = set()
        words: set[str] = set()
        encoded: set[str] = set()
        for secret in secrets:
            for form in plain_forms(secret.value):
                if len(form) < WHOLE_WORDS_BELOW:
                    words.add(form)
                    encoded.update(base64_words(secret.user, form))
                else:
                    plain.add(form)
                    self.cores.update(base64_cores(form))
        needles = plain | self.cores
        self.pattern = pattern_of(needles, words, encoded)
        self.longest = max(map(len, needles), default=0)
        self.shortest = min(map(len, needles | words | encoded), default=0) if words else _PREFIX
        self.has_blank = any(" " in needle for needle in needles | words)
        self.heads: dict[str, list[str]] = {}
        for needle in needles:
            self.heads.setdefault(needle[:_PREFIX], []).append(needle)


class Redactor:
    """Secrets may be added at any time and from any thread.

    >>> redactor = Redactor()
    >>> redactor.add("hunter2hunter2")
    >>> redactor.redact("Authorization: Bearer hunter2hunter2")
    'Authorization: Bearer ***'
    """

    def __init__(self) -> None:
        self._secrets: set[Secret] = set()
        self._obtained: deque[Secret] = deque(maxlen=_OBTAINED)
        self._index: _Index | None = None
        self._changing = threading.RLock()

    def add(self, value: str, user: str = "") -> None:
        """A secret of the config."""
        self.learn([Secret(value, user)])

    def learn(self, secrets: Iterable[Secret]) -> None:
        with self._changing:
            new = {secret for secret in secrets if secret.value.strip()} - self._secrets
            if new:
                self._secrets |= new
                self._index = None

    def obtained(self, value: str) -> None:
        """A secret that somebody gave us, as a login's token. The newest of them are remembered."""
        secret = Secret(value)
        with self._changing:
            if value.strip() and secret not in self._obtained:
                self._obtained.append(secret)
                self._index = None

    def forget(self) -> None:
        """For tests, which share a process."""
        with self._changing:
            self._secrets.clear()
            self._obtained.clear()
            self._index = None

    def redact(self, text: str, *, cut: bool = False) -> str:
        """`text` with `***` for each secret in it. `cut`: its end may be the middle of a secret, whose beginning is redacted too."""
        index = self._current()
        if index.pattern is None or len(text) < index.shortest:
            return text
        spans = []
        for decoding in decodings(text, plus=index.has_blank):
            spans += _found(decoding, index)
            if cut and (start := _begun(decoding.text, index)) is not None:
                spans.append((decoding.span(start, len(decoding.text))[0], len(text)))
        return _replaced(text, spans)

    def excerpt(self, text: str | bytes, limit: int, *, cut: bool = False) -> str:
        """At most `limit` bytes of UTF-8 of the beginning of `text`, redacted before it is cut. `cut`: `text` is no longer whole."""
        read = 4 * limit + _REACH
        if len(text) > read:
            text, cut = text[:read], True
        if isinstance(text, bytes):
            # the half of a character at its end is no sign of a bad encoding
            text = text.decode("utf-8", "replace").removesuffix("\ufffd")
        return self.redact(text, cut=cut).encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")

    def redact_all(self, value: Any) -> Any:
        """A document of dicts and lists with each text in it redacted. Keys stay."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, Mapping):
            return {key: self.redact_all(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.redact_all(item) for item in value]
        return value

    def _current(self) -> _Index:
        if (index := self._index) is None:
            with self._changing:
                index = self._index = _Index([*self._secrets, *self._obtained])
        return index


def _found(decoding: Decoding, index: _Index) -> list[tuple[int, int]]:
    """Matches may overlap: two secrets may share their ends."""
    assert index.pattern is not None
    text, spans, position = decoding.text, [], 0
    while (match := index.pattern.search(text, position)) is not None:
        start, end = match.span()
        position = start + 1
        if match[0] in index.cores:
            while start > 0 and _BASE64.match(text[start - 1]):
                start -= 1
            while end < len(text) and _BASE64.match(text[end]):
                end += 1
            position = end
        spans.append(decoding.span(start, end))
    return spans


def _begun(text: str, index: _Index) -> int | None:
    """Where a secret begins that the end of the text cuts off."""
    whole = without_broken_end(text)
    for start in range(max(0, len(text) - index.longest - LONGEST_BROKEN), len(whole) - _PREFIX + 1):
        for needle in index.heads.get(text[start : start + _PREFIX], ()):
            if needle.startswith((text[start:], whole[start:])):
                return start
    return None


def _replaced(text: str, spans: list[tuple[int, int]]) -> str:
    if not spans:
        return text
    pieces, done, redacted_to = [], 0, -1
    for start, end in sorted(spans):
        if start > redacted_to:
            pieces += [text[done:start], MASK]
        done = redacted_to = max(redacted_to, end)
    return "".join([*pieces, text[done:]])

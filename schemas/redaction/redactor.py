"""Replaces secrets in texts that leave the process: logs, records, headers, answers shown to people."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.redaction.decodings import decodings
from schemas.redaction.index import Index, Secret

MASK = "***"

_OBTAINED = 4096
"""Tokens of logins that are remembered at least, the newest: a token lasts an hour or a day, and an old one may still stand in an error."""
_REACH = 1024
"""Characters read behind a cut, so that a secret there is seen whole."""


class Redactor:
    """Secrets may be added at any time and from any thread.

    >>> redactor = Redactor()
    >>> redactor.add("hunter2hunter2")
    >>> redactor.redact("Authorization: Bearer hunter2hunter2")
    'Authorization: Bearer ***'
    """

    def __init__(self) -> None:
        self._changing = threading.RLock()
        self.forget()

    def forget(self) -> None:
        """For tests, which share a process."""
        with self._changing:
            self._secrets: set[Secret] = set()
            self._configured = Index()
            self._tokens: dict[str, None] = {}
            self._obtained = Index()

    def add(self, value: str, user: str = "") -> None:
        """A secret of the config."""
        self.learn([Secret(value, user)])

    def learn(self, secrets: Iterable[Secret]) -> None:
        """The secrets of a config. Those that are known already cost nothing."""
        with self._changing:
            new = {secret for secret in secrets if secret.value.strip()} - self._secrets
            self._secrets |= new
            self._configured.add(new)

    def obtained(self, value: str) -> None:
        """A secret that somebody gave us, as a login's token."""
        with self._changing:
            if not value.strip() or value in self._tokens:
                return
            self._tokens[value] = None
            if len(self._tokens) > 2 * _OBTAINED:
                self._tokens = dict.fromkeys(list(self._tokens)[-_OBTAINED:])
                self._obtained = Index(map(Secret, self._tokens))
            else:
                self._obtained.add([Secret(value)])

    def redact(self, text: str, *, cut: bool = False) -> str:
        """`text` with `***` for each secret in it. `cut`: its end may be the middle of a secret, whose beginning is redacted too."""
        indexes = [index for index in (self._configured, self._obtained) if index]
        if not indexes or not text:
            return text
        spans = []
        for decoding in decodings(text, plus=any(index.has_blank for index in indexes)):
            for index in indexes:
                spans += [decoding.span(start, end) for start, end in index.found(decoding.text)]
                if cut and (start := index.begun(decoding.text)) is not None:
                    spans.append((decoding.span(start, len(decoding.text))[0], len(text)))
        return _replaced(text, spans)

    def excerpt(self, text: str | bytes, limit: int, *, cut: bool = False) -> str:
        """At most `limit` bytes of UTF-8 of the beginning of `text`, redacted before it is cut. `cut`: `text` is no longer whole."""
        read = 2 * limit + _REACH
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


def _replaced(text: str, spans: list[tuple[int, int]]) -> str:
    if not spans:
        return text
    pieces, done, redacted_to = [], 0, -1
    for start, end in sorted(spans):
        if start > redacted_to:
            pieces += [text[done:start], MASK]
        done = redacted_to = max(redacted_to, end)
    return "".join([*pieces, text[done:]])

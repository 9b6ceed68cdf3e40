"""A test send as people read it: the request marked by `>`, the answer by `<`, both with secrets redacted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit, urlunsplit

from changecast.deliveries.tables import printable
from schemas import redaction
from schemas.config import Subscription
from sinks.answer import Answer, Meaning
from sinks.trial import Exchange, Trial


def lines(target: Subscription, origin: str, trial: Trial, most_bytes: int) -> Iterator[str]:
    """`origin`: where the event is from, in words. Of each body no more than `most_bytes` are shown."""
    kind = "webhook" if target.webhook is not None else "slack"
    yield f"{target.name} ({kind}): {trial.event.id}, {origin}"
    for exchange in trial.exchanges:
        yield ""
        yield from _request(exchange, most_bytes)
        yield ""
        yield from _answer(exchange, most_bytes)
    yield ""
    yield _verdict(trial.answer)


def redacted_headers(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name.lower(), printable(value)) for name, value in headers.items())


def redacted_url(url: str) -> str:
    """Scheme and host, and what is no secret of the rest: `https://example.org/***`."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    rest = printable(urlunsplit(("", "", parts.path, parts.query, "")))
    slash = "/" if rest.startswith(redaction.MASK) else ""
    return f"{parts.scheme}://{f'{redaction.MASK}@' if login else ''}{host}{slash}{rest}"


def text_of(body: bytes, most_bytes: int) -> str:
    """The beginning of a body, redacted before it is cut. An answer may have been cut already, within a secret."""
    return redaction.excerpt(body, most_bytes, cut=True)


def _request(exchange: Exchange, most_bytes: int) -> Iterator[str]:
    yield f"> POST {redacted_url(exchange.url)}"
    yield from _marked(">", exchange.headers, exchange.body, most_bytes)


def _answer(exchange: Exchange, most_bytes: int) -> Iterator[str]:
    reply = exchange.reply
    if reply.status is None:
        yield f"< no answer: {printable(reply.error or '')}"
        return
    where = f" from {reply.address}" if reply.address else ""
    yield f"< status {reply.status} in {reply.ms:.0f} ms{where}"
    yield from _marked("<", reply.headers or {}, reply.body, most_bytes)


def _marked(mark: str, headers: Mapping[str, str], body: bytes, most_bytes: int) -> Iterator[str]:
    for name, value in redacted_headers(headers):
        yield f"{mark} {name}: {value}"
    if body:
        yield mark
        yield from (f"{mark} {line}" for line in _lines_of(text_of(body, most_bytes)))
        if len(body) > most_bytes:
            yield f"{mark} … ({len(body):,} bytes in all)"


def _lines_of(text: str) -> Iterable[str]:
    return map(printable, text.splitlines())


def _verdict(answer: Answer) -> str:
    if answer.meaning is Meaning.DELIVERED:
        return "Accepted." if answer.note is None else f"Accepted ({printable(answer.note)})."
    said = f"Not accepted: {printable(answer.error or 'no reason given')}."
    if answer.meaning is Meaning.GONE:
        said += " A delivery with this answer disables the endpoint; this test has not."
    if answer.meaning is Meaning.REFUSED:
        said += " A delivery of this event is given up at once: it would be refused again."
    return said

"""The secrets of a config, for the redactor: what is declared one, and what else an address or a header gives away."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from schemas.config.models import Webhook
from schemas.redaction import Secret
from schemas.redaction.needles import WHOLE_WORDS_BELOW

_PAIRS = {"secret": "key", "sasl_plain_password": "sasl_plain_username", "client_secret": "client_id"}
"""Where the field beside a secret is the user of HTTP's Basic, or of SASL's PLAIN."""
_PLAIN_HEADERS = frozenset(
    {"accept", "accept-language", "cache-control", "content-encoding", "content-language", "content-type", "user-agent"}
)
"""Their values are words of HTTP, which would be redacted everywhere else too."""
_OUR_NAME = "changecast"
"""`X-Source: changecast` is no secret either; redacted, it would spoil the commands that alerts name."""
_SCHEME = re.compile(r"(Bearer|Basic|Token|Digest|ApiKey|Key|Bot|OAuth|GenieKey|Splunk)[ =:]+(.+)", re.IGNORECASE)
_SIGNING = re.compile(r"whs(?:ec|k)_(.+)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_TOKEN = re.compile(r"(?=[^/?&=#]*\d)(?=[^/?&=#]*[A-Za-z])[^/?&=#]{16,}")
"""A part of a webhook's path or query that looks like a token: by itself it gives the webhook away."""


def secrets_of(value: object) -> Iterator[Secret]:
    """Every secret in a config or a part of it."""
    match value:
        case SecretStr():
            yield from _parts(value.get_secret_value())
        case BaseModel():
            yield from _of_section(value)
        case Mapping():
            for member in value.values():
                yield from secrets_of(member)
        case list() | tuple():
            for member in value:
                yield from secrets_of(member)
        case str() if _ADDRESS.match(value):
            yield from _userinfo(value)


def _of_section(section: BaseModel) -> Iterator[Secret]:
    for name, value in section:
        if name == "headers" and isinstance(value, Mapping):
            yield from secrets_of([item for key, item in value.items() if not _is_plain(key, item)])
        else:
            yield from secrets_of(value)
        if isinstance(value, SecretStr) and (user := _plain(getattr(section, _PAIRS.get(name, ""), None))):
            yield Secret(value.get_secret_value(), user)
    if isinstance(section, Webhook):
        yield from _of_address(section.url)


def _is_plain(name: str, value: Any) -> bool:
    return name.lower() in _PLAIN_HEADERS or _plain(value).lower() == _OUR_NAME


def _plain(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value if isinstance(value, str) else ""


def _parts(value: str) -> Iterator[Secret]:
    """The value, and what it carries: the token after `Bearer`, the password in `Basic`, the key after `whsec_`."""
    yield Secret(value)
    if _ADDRESS.match(value):
        yield from _of_address(value)
    if (scheme := _SCHEME.fullmatch(value)) is not None:
        yield Secret(scheme[2])
        if scheme[1].lower() == "basic":
            yield from _of_basic(scheme[2])
    if (signing := _SIGNING.fullmatch(value)) is not None:
        yield Secret(signing[1])


def _of_basic(encoded: str) -> Iterator[Secret]:
    try:
        user, mark, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return
    if mark:
        yield Secret(password, user)


def _of_address(url: str) -> Iterator[Secret]:
    """A webhook's: its path with the query as a whole, which is all that protects many of them. Not the host, which is no secret."""
    yield from _userinfo(url)
    parts = urlsplit(url)
    whole = parts.path + (f"?{parts.query}" if parts.query else "")
    for text in (whole, parts.path, parts.query, *_TOKEN.findall(whole)):
        if len(text) >= WHOLE_WORDS_BELOW:
            yield Secret(text)


def _userinfo(url: str) -> Iterator[Secret]:
    parts = urlsplit(url)
    if parts.password:
        yield Secret(unquote(parts.password), unquote(parts.username or ""))

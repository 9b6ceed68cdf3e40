"""The kinds of values that the config's sections are made of, and what makes each a good one.

A validator says what is wrong and what is right, never the value itself: it may be a secret. What it could add from the value
goes into `Invalid.hint`, which is shown only for values that stand in the file for everybody to read.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SecretStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import core_schema

from schemas.config.file_keys import describe_file_keys
from schemas.urn import Urn


class Invalid(ValueError):
    """What is wrong with a value; `hint` is derived from the value."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Section(BaseModel):
    """A part of the file. Unknown keys are errors. A key without a value (`interval:`) counts as not written, where null means nothing.
    Beside each secret, `<key>_file` names a file that holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_written(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        nullable = {field.alias or name for name, field in cls.model_fields.items() if field.default is None}
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in data.items() if value is not None or key in nullable or key not in known}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        written = handler(core)
        describe_file_keys(handler.resolve_ref_schema(written), cls.model_fields)
        return written


def listed(value: object) -> object:
    """A scalar means a list of one; null stays null."""
    return value if isinstance(value, list | tuple) or value is None else [value]


class _Many:
    """Marks a list that may be written as its only item."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        written = handler(schema)
        choices = written.get("anyOf", [written])
        items = [choice["items"] for choice in choices if choice.get("type") == "array" and choice.get("items")]
        return {"anyOf": [*items, *choices]}


Many = _Many()


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise Invalid("expected a number, got true or false")
    return value


Count = Annotated[int, BeforeValidator(_number)]
Number = Annotated[float, BeforeValidator(_number)]


def without_line_end(value: object) -> object:
    """A secret without the line end that came along from a file or a shell."""
    return value.rstrip("\r\n") if isinstance(value, str) else value


Secret = Annotated[SecretStr, BeforeValidator(without_line_end)]


_SERVERS = "not the addresses of Kafka's brokers: write host:port, with commas between several, as kafka-1:9092,kafka-2:9092"
_SERVER = re.compile(r"(\[[\da-fA-F:.]+\]|[\w.-]+):(\d{1,5})")


def _servers(text: str) -> str:
    """aiokafka would take a name without a port for one at 9092, and look for it as long as it is let."""
    for server in text.split(","):
        match = _SERVER.fullmatch(server.strip())
        if match is None or not 0 < int(match[2]) <= 65535:
            raise Invalid(_SERVERS)
    return text


Servers = Annotated[str, AfterValidator(_servers)]


_NAMESERVER = re.compile(
    r"\[(?P<v6>[\da-fA-F:.]+)\](:(?P<v6port>\d{1,5}))?|(?P<v4>[\d.]+)(:(?P<v4port>\d{1,5}))?|(?P<bare>[\da-fA-F:.]+)"
)


def _nameserver(text: str) -> str:
    """As c-ares takes it: an IPv6 address stands in brackets where a port follows."""
    match = _NAMESERVER.fullmatch(text)
    try:
        ipaddress.ip_address((match["v6"] or match["v4"] or match["bare"]) if match else "")
        good = match is not None and 0 < int(match["v6port"] or match["v4port"] or 53) <= 65535
    except ValueError:
        good = False
    if not good:
        raise Invalid("not the address of a DNS server: write 10.0.0.2, 10.0.0.2:5353, or [fd00::2]:5353")
    return text


Nameserver = Annotated[str, AfterValidator(_nameserver)]


def _given(value: object) -> object:
    """An empty credential counts as unset; a line end that came along from a file would break a header."""
    stripped = value.strip() if isinstance(value, str) else value
    return None if stripped == "" else stripped


_UNPRINTABLE = re.compile(r"[^ -~]")
"""HTTP has no place for these in a header: what a client makes of them is not what the other side knows."""


def _for_headers(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None and (found := _UNPRINTABLE.search(secret.get_secret_value())):
        kind = "a line end or another control character" if found[0].isascii() else "one beyond ASCII"
        raise Invalid(
            f"HTTP can't carry its character {found.start() + 1}, {kind}: was it cut short (…) when it was copied, or does it go on?"
        )
    return secret


Credential = Annotated[SecretStr | None, BeforeValidator(_given), AfterValidator(_for_headers)]
"""A provider's key or token. None where it is empty: the provider then counts as not configured."""
HttpSecret = Annotated[SecretStr, BeforeValidator(without_line_end), AfterValidator(_for_headers)]
"""What goes into a header as it is."""
AccountName = Annotated[str | None, BeforeValidator(_given)]

_SIGNING = (
    'not a signing secret: write "whsec_" and the base64 of 24 to 64 random bytes (`echo whsec_$(openssl rand -base64 32)` makes one), '
    'or "whsk_" and the base64 of an Ed25519 private key'
)
_SECRET_SIZES = {"whsec_": range(24, 65), "whsk_": (32, 64)}
"""Bytes. Symmetric: the bounds of Standard Webhooks. Ed25519: the seed, or the seed and the public key."""


def _signing(secret: SecretStr) -> SecretStr:
    prefix, mark, encoded = secret.get_secret_value().partition("_")
    try:
        size = len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size not in _SECRET_SIZES.get(prefix + mark, ()):
        raise Invalid(_SIGNING)
    return secret


SigningSecret = Annotated[Secret, AfterValidator(_signing)]

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


_RESERVED = frozenset({"host", "content-length", "transfer-encoding", "accept-encoding"})


def _header_name(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text):
        raise Invalid("not a header's name: letters, digits and dashes, as X-Source")
    if text.lower() in _RESERVED or text.lower().startswith("webhook-"):
        raise Invalid("this header is set by changecast itself: leave it out")
    return text


def _header_value(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if any((ord(character) < 0x20 and character != "\t") or ord(character) >= 0x7F for character in value):
        raise Invalid("a header's value is one line of ASCII, without control characters")
    return secret


Headers = dict[Annotated[str, AfterValidator(_header_name)], Annotated[Secret, AfterValidator(_header_value)]]


def _network(value: object) -> object:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        interface = ipaddress.ip_interface(value) if isinstance(value, str) else None
    except ValueError:
        interface = None
    if interface is None:
        raise Invalid("not a network: write an address or a CIDR block, as 10.0.0.0/8, 192.0.2.7 or fd00::/8")
    if interface.ip != interface.network.network_address:
        raise Invalid("not a network: it has bits set behind its prefix", f"did you mean {interface.network}?")
    return interface.network


Cidr = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network,
    BeforeValidator(_network),
    WithJsonSchema({"type": "string", "examples": ["10.0.0.0/8", "fd00::/8"]}),
]


def _urn(text: str) -> str:
    try:
        Urn.parse(text)
    except ValueError:
        raise Invalid("not an entity URN: it has the form provider:type:id, as tmdb:series:1399") from None
    return text


UrnText = Annotated[str, AfterValidator(_urn)]


def _watched(value: object) -> object:
    """`all`, `none`, an id, or a list of ids."""
    if value in ("all", "none"):
        return value
    ids = listed(value)
    if isinstance(ids, list) and all(_is_id(item) for item in ids):
        return [int(item) for item in ids]
    raise Invalid("expected all, none, or a list of ids (whole numbers)")


def _is_id(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool) and value > 0) or (
        isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19
    )


Watch = Annotated[Literal["all", "none"] | list[int], BeforeValidator(_watched)]


def _types(value: object) -> object:
    if value == "all":
        return value
    types = listed(value)
    if isinstance(types, list) and types and all(isinstance(item, str) for item in types):
        return types
    raise Invalid("expected all, or a list of types, as [episode, asset]")


TypeNames = Annotated[Literal["all"] | list[str], BeforeValidator(_types)]


_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def _field_names(value: object) -> object:
    names = listed(value)
    if isinstance(names, list) and all(_is_field_name(name) for name in names):
        return names
    raise Invalid("expected a list of fields' names, as [siteRating, lastUpdated]; with [] every field is compared")


def _is_field_name(value: object) -> bool:
    return isinstance(value, str) and _FIELD_NAME.fullmatch(value) is not None and value not in ("all", "none")


FieldNames = Annotated[list[str], Many, BeforeValidator(_field_names)]


def matching(pattern: str, message: str) -> AfterValidator:
    """Text of a form that a plain sentence describes better than its pattern."""
    form = re.compile(pattern)

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise Invalid(message)
        return text

    return AfterValidator(check)

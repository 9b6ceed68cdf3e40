"""Web addresses: taken as they are written, byte for byte, or refused.

What a client would otherwise change without a word, or drop, is an error: blanks, fragments, characters beyond ASCII behind the host.
"""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator, SecretStr
from yarl import URL

from schemas.config.fields import Invalid, without_line_end

_FORM = re.compile(
    r"(?P<scheme>https?)://((?P<userinfo>[^/?#]*)@)?(?P<host>\[[\da-fA-F:.]+\]|[^/?#@:\[\]]+)(:(?P<port>\d{1,5}))?(?P<target>([/?].*)?)",
    re.IGNORECASE,
)
_NO_ADDRESS = "not a web address: write http:// or https://, then a host and a path"
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")


class WireAddress(NamedTuple):
    """`url`: as it is called, its host in ASCII (IDNA). `userinfo`: `user:password`, still percent-encoded; None where there is none."""

    url: str
    userinfo: str | None


def wire_address(text: str) -> WireAddress:
    """What goes over the wire for an address of the config. Raises Invalid for what is none."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise Invalid(_NO_ADDRESS)
    port = "" if match["port"] is None else f":{match['port']}"
    target = match["target"] if match["target"].startswith("/") else f"/{match['target']}"
    return WireAddress(f"{match['scheme'].lower()}://{_ascii_host(match['host'])}{port}{target}", match["userinfo"])


def has_userinfo(text: str) -> bool:
    """Whether an address, good or not, has `user:password@` before its host."""
    match = _FORM.fullmatch(text)
    return match is not None and match["userinfo"] is not None


def _ascii_host(host: str) -> str:
    try:
        if host.startswith("["):
            return str(URL(f"http://{host}").host_subcomponent)
        if _HOST_NAME.fullmatch(host):
            host.encode("idna")  # a part of the name that is empty or too long
            return host
        if host.isascii():
            raise Invalid(_NO_ADDRESS)
        return str(URL.build(scheme="http", host=host).raw_host)
    except ValueError:
        raise Invalid(_NO_ADDRESS) from None


def web_address(text: str) -> str:
    if any(character.isspace() for character in text):
        raise Invalid("a web address holds no blanks: leave them out, or write %20")
    if "#" in text:
        raise Invalid('a fragment ("#…") is never sent: leave it out, or write %23 for the character itself')
    match = _FORM.fullmatch(text)
    if match is None or (match["port"] is not None and not 0 < int(match["port"]) <= 65535):
        raise Invalid(_NO_ADDRESS)
    beside_host = (match["userinfo"] or "") + match["target"]
    if not (beside_host.isascii() and beside_host.isprintable()):
        raise Invalid("beside its host a web address is ASCII: write other characters percent-encoded, as %C3%A9 for é")
    if match["target"].find("?") == len(match["target"]) - 1 >= 0:
        raise Invalid('the "?" at the end begins no query: leave it out')
    wire_address(text)
    return text


def _base_address(text: str) -> str:
    address = web_address(text)
    if "?" in address:
        raise Invalid("this address is the beginning of others, and has no query")
    if has_userinfo(address):
        raise Invalid("no user and password here: the credentials have keys of their own, and go into the Authorization header")
    return address.rstrip("/")


def _secret_address(secret: SecretStr) -> SecretStr:
    web_address(secret.get_secret_value())
    return secret


Url = Annotated[str, AfterValidator(web_address)]
BaseUrl = Annotated[str, AfterValidator(_base_address)]
"""Without the slash at its end, so that a path can follow."""
SecretUrl = Annotated[SecretStr, BeforeValidator(without_line_end), AfterValidator(_secret_address)]

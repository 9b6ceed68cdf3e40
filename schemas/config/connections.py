"""How connections are made: certificates in PEM, and proxies."""

from __future__ import annotations

import re
import ssl
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from schemas.config.fields import Invalid, Secret
from schemas.config.file_keys import FromFile

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_NO_CERTIFICATES = 'not certificates in PEM: they begin with "-----BEGIN CERTIFICATE-----"'


def _certificates(text: str) -> str:
    """Without what stands between them: bundles name their CAs in comments, in any language."""
    found = "\n".join(_CERTIFICATE.findall(text)) + "\n"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except (ssl.SSLError, ValueError):
        raise Invalid(_NO_CERTIFICATES) from None
    return found


Certificates = Annotated[str, FromFile(), AfterValidator(_certificates)]
"""One or more in PEM: CAs, or a certificate with its chain."""


def _proxy(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        alone = parts.path in ("", "/") and not parts.query and not parts.fragment
    except ValueError:
        good = alone = False
    if not good or not alone or not text.isprintable() or " " in text:
        raise Invalid("not an HTTP proxy: write http://host:port, or http://user:password@host:port")
    return secret


ProxyUrl = Annotated[Secret, AfterValidator(_proxy)]
"""It may hold a user and a password."""

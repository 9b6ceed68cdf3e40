"""Settings of connections: certificates in PEM, proxies, and authentication to a webhook's receiver."""

from __future__ import annotations

import re
import ssl
import tempfile
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from schemas.config.addresses import Url, has_userinfo
from schemas.config.fields import Invalid, Many, Secret, Section
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

_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)


class ClientCertificate(Section):
    """What a webhook shows to a receiver that wants to know who calls (mutual TLS): `cert`, with its chain, and its private `key`, both in
    PEM and usually as `cert_file` and `key_file`. `key_password`: of a key that is encrypted."""

    cert: Certificates
    key_password: Secret | None = None
    key: SecretStr

    @field_validator("key")
    @classmethod
    def _belongs_to_the_certificate(cls, key: SecretStr, info: ValidationInfo) -> SecretStr:
        found = _KEY.search(key.get_secret_value())
        if found is None:
            raise Invalid('not a private key in PEM: it begins with "-----BEGIN PRIVATE KEY-----"')
        private = SecretStr(found[0] + "\n")
        if "cert" not in info.data or "key_password" not in info.data:
            return private
        certificate = cls.model_construct(cert=info.data["cert"], key=private, key_password=info.data["key_password"])
        if reason := _why_unusable(certificate):
            raise Invalid(reason)
        return private

    def load_into(self, context: ssl.SSLContext) -> None:
        """Have connections of this context show the certificate. Raises ssl.SSLError where OpenSSL does not take it."""
        password = _password(self)
        with tempfile.NamedTemporaryFile() as file:  # OpenSSL reads certificates from files alone; ours is for the owner's eyes
            file.write(f"{self.cert}{self.key.get_secret_value()}".encode())
            file.flush()
            # without a password, OpenSSL would ask the terminal for one
            context.load_cert_chain(file.name, password=password if password is not None else "")


def _password(certificate: ClientCertificate) -> str | None:
    return None if certificate.key_password is None else certificate.key_password.get_secret_value()


def _why_unusable(certificate: ClientCertificate) -> str | None:
    password = _password(certificate)
    try:
        private = load_pem_private_key(
            certificate.key.get_secret_value().encode(), None if password is None else password.encode()
        )
    except TypeError:
        return (
            "the key is not encrypted: leave out key_password"
            if password is not None
            else "the key is encrypted: it needs key_password"
        )
    except (ValueError, UnsupportedAlgorithm):
        return "the key can't be read" + (", or key_password is not its password" if password is not None else "")
    try:
        first = load_pem_x509_certificates(certificate.cert.encode())[0]
        if _public(first.public_key()) != _public(private.public_key()):
            return "the key does not belong to the certificate (the first one in it, which is followed by its chain)"
        certificate.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except (ssl.SSLError, ValueError, UnsupportedAlgorithm):
        return "OpenSSL does not take this certificate and key: they may be too weak, or of a kind that TLS has not"
    return None


def _public(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _given_text(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise Invalid("expected a text on one line")
    return text


def _given_secret(secret: SecretStr) -> SecretStr:
    _given_text(secret.get_secret_value())
    return secret


Text = Annotated[str, AfterValidator(_given_text)]
_TOKEN_PARAMETERS = frozenset({"grant_type", "client_id", "client_secret", "scope"})


def _extra_parameters(parameters: dict[str, str]) -> dict[str, str]:
    if taken := _TOKEN_PARAMETERS.intersection(parameters):
        raise Invalid(f"{sorted(taken)[0]} is set by its own key, or by changecast: leave it out here")
    return parameters


def _without_login(address: str) -> str:
    if has_userinfo(address):
        raise Invalid("client_id and client_secret are what the token endpoint is shown: leave user and password out")
    return address


class OAuth2(Section):
    """Client credentials (RFC 6749, section 4.4): each request of the webhook carries an access token. `authentication`: the client's id
    and secret go as HTTP Basic, or in the `body` of the token request. `parameters`: what else that request says, as `audience` or
    `resource`."""

    token_url: Annotated[Url, AfterValidator(_without_login)]
    client_id: Text
    client_secret: Annotated[Secret, AfterValidator(_given_secret)]
    scope: Annotated[list[Text], Many] = Field(default=[])
    authentication: Literal["basic", "body"] = "basic"
    parameters: Annotated[dict[str, str], AfterValidator(_extra_parameters)] = Field(default={})

"""Client certificates and OAuth2 of a webhook: mistakes are config errors, found before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from changecast.up.difference import difference
from schemas import redaction
from schemas.config import Config
from schemas.config.secrets import secrets_of
from tests.authority import Authority
from tests.schemas.config.samples import SECRET, errors, load

PASSWORD = "hunter2hunter2"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def webhook(fields: str, url: str = "https://example.org") -> str:
    return f"subscriptions:\n- name: a\n  webhook:\n    url: {url}\n    secret: {SECRET}\n    {fields}\n"


def encrypt(key: Path, password: str = PASSWORD, form: PrivateFormat = PrivateFormat.PKCS8) -> None:
    private = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(private.private_bytes(Encoding.PEM, form, BestAvailableEncryption(password.encode())))


def certificate_of(config: Config) -> object:
    assert config.subscriptions[0].webhook is not None
    return config.subscriptions[0].webhook.client_certificate


def test_certificate_and_key_are_taken_from_their_files(tmp_path: Path, authority: Authority) -> None:
    authority.client("us")
    assert certificate_of(load(tmp_path, webhook("client_certificate: {cert_file: us.crt, key_file: us.key}")))
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        authority.client("us")
        encrypt(tmp_path / "us.key", form=form)
        fields = f"client_certificate: {{cert_file: us.crt, key_file: us.key, key_password: {PASSWORD}}}"
        assert certificate_of(load(tmp_path, webhook(fields)))
    # both in one file, as some tools write them
    (tmp_path / "both.pem").write_bytes((tmp_path / "us.crt").read_bytes() + (tmp_path / "us.key").read_bytes())
    fields = f"client_certificate: {{cert_file: both.pem, key_file: both.pem, key_password: {PASSWORD}}}"
    assert certificate_of(load(tmp_path, webhook(fields)))


@pytest.mark.parametrize(
    ("fields", "reported"),
    [
        ("cert_file: us.crt, key_file: other.key", "key_file: the key does not belong to the certificate"),
        ("cert_file: us.crt, key_file: us.key, key_password: x", "key_file: the key is not encrypted: leave out key_password"),
        ("cert_file: us.crt, key_file: locked.key", "key_file: the key is encrypted: it needs key_password"),
        (
            "cert_file: us.crt, key_file: locked.key, key_password: x",
            "key_file: the key can't be read, or key_password is not its",
        ),
        ("cert_file: us.crt, key_file: us.crt", "key_file: not a private key in PEM"),
        ("cert_file: us.key, key_file: us.key", "cert_file: not certificates in PEM"),
        ("cert_file: us.crt, key_file: weak.key", "key_file: the key does not belong"),
        ("cert_file: us.crt, key_file: broken.key", "key_file: the key can't be read"),
        ("cert_file: none.crt, key_file: us.key", "cert_file: the file does not exist"),
        ("cert_file: us.crt, key_file: none.key", "key_file: the file does not exist"),
        ("cert_file: us.crt", 'missing key "key"'),
        ("key_file: us.key", 'missing key "cert"'),
    ],
)
def test_what_does_not_fit_is_told_at_its_key(tmp_path: Path, authority: Authority, fields: str, reported: str) -> None:
    authority.client("us")
    authority.client("other")
    authority.client("locked")
    (tmp_path / "locked.key").write_bytes((tmp_path / "us.key").read_bytes())
    encrypt(tmp_path / "locked.key")
    weak = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "weak.key").write_bytes(weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "broken.key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    (one,) = errors(tmp_path, webhook(f"client_certificate: {{{fields}}}"))
    assert reported in one
    assert one.startswith("changecast.yaml:6:")


def test_a_certificate_that_tls_does_not_take_is_an_error(tmp_path: Path) -> None:
    """A key of 512 bits: the parser reads it, and OpenSSL would refuse it at the first delivery."""
    from datetime import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "us")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime(2025, 1, 1), datetime(2099, 1, 1)).sign(
        key, SHA256()
    )
    (tmp_path / "us.crt").write_bytes(made.public_bytes(Encoding.PEM))
    (tmp_path / "us.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (one,) = errors(tmp_path, webhook("client_certificate: {cert_file: us.crt, key_file: us.key}"))
    assert "key_file: OpenSSL does not take this certificate and key" in one


def test_a_client_certificate_without_tls_is_an_error(tmp_path: Path, authority: Authority) -> None:
    authority.client("us")
    text = webhook("client_certificate: {cert_file: us.crt, key_file: us.key}", url="http://example.org")
    (one,) = errors(tmp_path, text)
    assert "client_certificate: a client certificate is for https:// alone" in one


def test_a_reload_takes_a_renewed_certificate(tmp_path: Path, authority: Authority) -> None:
    authority.client("us")
    text = webhook("client_certificate: {cert_file: us.crt, key_file: us.key}")
    before = load(tmp_path, text)
    assert difference(before, load(tmp_path, text)).parts == ()
    authority.client("us")
    found = difference(before, load(tmp_path, text))
    assert found.words == "subscription a has another webhook.client_certificate.cert, webhook.client_certificate.key"
    assert found.parts == ("sinks",)


def test_a_key_of_another_kind_works(tmp_path: Path, authority: Authority) -> None:
    authority.client("us")
    assert isinstance(load_pem_private_key((tmp_path / "us.key").read_bytes(), None), ec.EllipticCurvePrivateKey)
    config = load(tmp_path, webhook("client_certificate: {cert_file: us.crt, key_file: us.key}"))
    assert (tmp_path / "us.key").read_text().strip() not in f"{config!r} {config.model_dump_json()}"


OAUTH2 = "{token_url: 'https://example.org/token', client_id: us, client_secret: hunter2hunter2}"


def test_oauth2_is_taken_and_its_secret_is_one(tmp_path: Path) -> None:
    config = load(tmp_path, webhook(f"oauth2: {OAUTH2.replace('us,', 'us, scope: a, parameters: {audience: x},')}"))
    assert (one := config.subscriptions[0].webhook) is not None
    assert one.oauth2 is not None
    assert (one.oauth2.scope, one.oauth2.authentication) == (["a"], "basic")
    redaction.learn(secrets_of(config))
    assert redaction.redact("dXM6aHVudGVyMmh1bnRlcjI= hunter2hunter2") == "*** ***"


@pytest.mark.parametrize(
    ("fields", "reported"),
    [
        (f"headers: {{authorization: x}}\n    oauth2: {OAUTH2}", "oauth2: oauth2 sets the header Authorization: leave it out of"),
        ("oauth2: {token_url: x, client_id: a, client_secret: b}", "oauth2.token_url: not a web address"),
        ("oauth2: {token_url: 'https://x', client_id: '', client_secret: b}", "oauth2.client_id: expected a text on one line"),
        ("oauth2: {token_url: 'https://x', client_id: a, client_secret: ' '}", "oauth2.client_secret: expected a text"),
        ("oauth2: {token_url: 'https://x', client_id: a}", 'oauth2: missing key "client_secret"'),
        (
            "oauth2: {token_url: 'https://x', client_id: a, client_secret: b, parameters: {scope: c}}",
            "oauth2.parameters: scope is set by its own key",
        ),
    ],
)
def test_what_is_wrong_with_oauth2_is_told(tmp_path: Path, fields: str, reported: str) -> None:
    (one,) = errors(tmp_path, webhook(fields))
    assert reported in one


def test_oauth2_beside_a_user_in_the_address_is_an_error(tmp_path: Path) -> None:
    (one,) = errors(tmp_path, webhook(f"oauth2: {OAUTH2}", url="https://user:password@example.org"))
    assert "oauth2: oauth2 sets the header Authorization: leave user and password out of url" in one

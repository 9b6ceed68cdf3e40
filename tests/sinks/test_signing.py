from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from sinks import signing
from sinks.signing import Signing
from tests.sinks.worlds import SECRET

OTHER = "whsec_" + base64.b64encode(b"another secret of 32 bytes, here").decode()


@pytest.fixture
def now() -> int:
    """A verifier takes what is not older than five minutes."""
    return int(datetime.now(UTC).timestamp())


@given(st.binary(min_size=24, max_size=64), st.text(max_size=300))
def test_a_stock_verifier_accepts_every_body(key: bytes, text: str) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    body = text.encode("utf-8", "ignore")
    made = signing.headers([Signing(signing.signer(secret))], "msg_1", int(datetime.now(UTC).timestamp()), body)
    Webhook(secret).verify(body, made, json_parse=False)


def test_several_secrets_sign_side_by_side_and_each_is_enough(now: int) -> None:
    made = signing.headers([Signing(signing.signer(SECRET)), Signing(signing.signer(OTHER))], "msg_1", now, b"{}")
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(b"{}", made)


def test_a_secret_that_has_been_replaced_signs_along_until_its_time_and_no_longer(now: int) -> None:
    rotating = [Signing(signing.signer(SECRET)), Signing(signing.signer(OTHER), until=now + 60.0)]
    before = signing.headers(rotating, "msg_1", now, b"{}")
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(b"{}", before)
    after = signing.headers(rotating, "msg_1", now + 60, b"{}")
    assert len(after["webhook-signature"].split()) == 1
    Webhook(SECRET).verify(b"{}", after)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(b"{}", after)


def test_a_changed_body_id_or_secret_is_not_accepted(now: int) -> None:
    made = signing.headers([Signing(signing.signer(SECRET))], "msg_1", now, b"{}")
    for body, headers, secret in ((b"[]", made, SECRET), (b"{}", {**made, "webhook-id": "msg_2"}, SECRET), (b"{}", made, OTHER)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)


def test_an_id_is_stable_differs_by_event_and_subscription_and_holds_no_dot() -> None:
    ids = {signing.webhook_id(event, name) for event in ("e1", "e.2") for name in ("a", "b.c")}
    assert len(ids) == 4
    assert signing.webhook_id("e1", "a") in ids
    assert not any("." in each for each in ids)


@pytest.mark.parametrize("secret", ["whsec_###", "whsec_c2hvcnQ=", "whsk_c2hvcnQ=", "whsec_"])
def test_a_secret_that_cannot_sign_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(signing.BadSecret) as caught:
        signing.signer(secret)
    assert secret.split("_", 1)[1] not in str(caught.value) or secret == "whsec_"


def test_an_ed25519_secret_signs_as_v1a(now: int) -> None:
    seed = bytes(range(32))
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    for key in (seed, seed + public.public_bytes_raw()):
        secret = "whsk_" + base64.b64encode(key).decode()
        made = signing.headers([Signing(signing.signer(secret))], "msg_1", now, b"{}")
        version, signature = made["webhook-signature"].split(",")
        assert version == "v1a"
        public.verify(base64.b64decode(signature), f"msg_1.{now}.{{}}".encode())


@pytest.mark.parametrize("length", range(24, 30))
def test_a_secret_needs_no_padding(length: int, now: int) -> None:
    padded = "whsec_" + base64.b64encode(bytes(range(length))).decode()
    made = [signing.headers([Signing(signing.signer(one))], "msg_1", now, b"{}") for one in (padded, padded.rstrip("="))]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("whsec_" + "?" * 40, "this one is not base64"),
        ("whsec_" + base64.b64encode(bytes(15)).decode(), "of 15 bytes is too short"),
        ("whsk_" + base64.b64encode(bytes(31)).decode(), "this one has 31"),
    ],
)
def test_a_bad_secret_is_told_why_and_not_shown(secret: str, words: str) -> None:
    with pytest.raises(signing.BadSecret, match=words) as refused:
        signing.signer(secret)
    assert secret not in str(refused.value)
    assert signing.signer("whsec_" + base64.b64encode(bytes(16)).decode())

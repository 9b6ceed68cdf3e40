"""Standard Webhooks signatures (standardwebhooks.com, specification 1.0): `v1` by HMAC-SHA256, `v1a` by ed25519.

During a rotation several secrets sign side by side; one that has been replaced signs until its time is over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SYMMETRIC = "whsec_"
ASYMMETRIC = "whsk_"
_SEED_BYTES = 32
_MIN_SECRET_BYTES = 16
"""The specification asks for 24 to 64; receivers in use have shorter ones, and below this nobody should."""

Signer = Callable[[bytes], str]


@dataclass(frozen=True, slots=True)
class Signing:
    """`until` in Unix seconds: from then on it signs no more. None: for good."""

    sign: Signer
    until: float | None = None


class BadSecret(ValueError):
    """A secret that can't sign. The message never holds it."""


@lru_cache(maxsize=8192)  # asked for each attempt by who sends and who records it
def webhook_id(event_id: str, subscription: str) -> str:
    """The same for each attempt and repeat, on any machine. Hex, so it holds no dot, which would make the signed text ambiguous."""
    digest = hashlib.blake2b(f"{subscription}\0{event_id}".encode(), digest_size=16)
    return f"msg_{digest.hexdigest()}"


def signer(secret: str) -> Signer:
    """What signs with this secret: `whsec_` and base64 (also bare base64), or `whsk_` and base64 of an ed25519 key. Raises BadSecret."""
    if secret.startswith(ASYMMETRIC):
        return _ed25519(_decoded(secret.removeprefix(ASYMMETRIC)))
    key = _decoded(secret.removeprefix(SYMMETRIC))
    if len(key) < _MIN_SECRET_BYTES:
        raise BadSecret(f"a webhook secret of {len(key)} bytes is too short: take 24 or more, as `whsec_` and their base64")
    base = hmac.new(key, digestmod=hashlib.sha256)

    def sign(content: bytes) -> str:
        mac = base.copy()
        mac.update(content)
        return "v1," + base64.b64encode(mac.digest()).decode()

    return sign


def headers(signings: Sequence[Signing], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt. `timestamp` in Unix seconds; several signatures stand side by side, one of each secret whose
    time is not over."""
    content = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join([one.sign(content) for one in signings if one.until is None or timestamp < one.until]),
    }


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise BadSecret("a webhook secret is `whsec_` or `whsk_` and base64; this one is not base64") from None


def _ed25519(key: bytes) -> Signer:
    if len(key) not in (_SEED_BYTES, 2 * _SEED_BYTES):
        raise BadSecret(f"a whsk_ secret is an ed25519 key of 32 bytes, or 64 with its public half; this one has {len(key)}")
    private = Ed25519PrivateKey.from_private_bytes(key[:_SEED_BYTES])

    def sign(content: bytes) -> str:
        return "v1a," + base64.b64encode(private.sign(content)).decode()

    return sign

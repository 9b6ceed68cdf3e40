"""TheTVDB's session tokens: JSON Web Tokens (RFC 7519) signed with HS256."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

import orjson


class Tokens:
    """Makes tokens and checks them. They hold for as long as this object lives, and until they end."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._made = 0

    def make(self, now: float, lifetime: float) -> str:
        """A token that ends `lifetime` seconds after `now` (Unix seconds)."""
        self._made += 1
        claims = {"orig_iat": int(now), "exp": now + lifetime, "id": "sandbox", "jti": self._made}
        signed = f"{_encode(orjson.dumps({'alg': 'HS256', 'typ': 'JWT'}))}.{_encode(orjson.dumps(claims))}"
        return f"{signed}.{self._signature(signed)}"

    def valid(self, token: str, now: float) -> bool:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode()):
            return False
        claims = signed.partition(".")[2]
        padded = claims + "=" * (-len(claims) % 4)
        return bool(orjson.loads(base64.urlsafe_b64decode(padded))["exp"] > now)

    def revoke(self) -> None:
        """From now on every token that was ever made is refused."""
        self._key = secrets.token_bytes(32)

    def _signature(self, signed: str) -> str:
        return _encode(hmac.new(self._key, signed.encode(), hashlib.sha256).digest())


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

"""TheTVDB's session: one token for all requests, renewed before it ends, and once for however many found it refused."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import orjson

from runtime.clock import Clock
from runtime.http import Answer, BadResponse, CredentialsRejected, ProviderHttp, ProviderUnavailable
from schemas import redaction

log = logging.getLogger(__name__)

TOKEN_LIFE_S = 24 * 3600.0
"""How long a token holds where it doesn't say so itself."""
_RENEWED_AT = 0.9
"""The share of its life after which a token is refreshed: what is left is for trouble with the refreshing."""


@dataclass(frozen=True)
class Login:
    """What POST /login takes. User name and key are only needed for the routes of a user."""

    apikey: str
    username: str | None = None
    userkey: str | None = None

    def __repr__(self) -> str:
        return "Login(…)"

    def as_json(self) -> dict[str, str]:
        document = {"apikey": self.apikey, "username": self.username, "userkey": self.userkey}
        return {key: value for key, value in document.items() if value is not None}


@dataclass(frozen=True)
class Token:
    """`obtained`, `refresh_at` and `ends_at` in seconds of the monotonic clock: a changed wall clock ends no token."""

    value: str
    refresh_at: float
    ends_at: float

    def __repr__(self) -> str:
        return f"Token(…, refresh_at={self.refresh_at}, ends_at={self.ends_at})"


class Session:
    """Gives the token for a request. All callers share one login: concurrent 401s cause one, and its failure is told to all."""

    def __init__(self, http: ProviderHttp, login: Login, clock: Clock) -> None:
        self._http = http
        self._login = login
        self._clock = clock
        self._token: Token | None = None
        self._renewal: asyncio.Task[Token] | None = None

    async def token(self) -> str:
        """A token that holds. Raises CredentialsRejected or ProviderUnavailable when none can be had."""
        token, now = self._token, self._clock.monotonic()
        if token is None or now >= token.ends_at:
            token = await self._shared(self._log_in)
        elif now >= token.refresh_at:
            token = await self._refreshed(token)
        return token.value

    async def replaced(self, refused: str) -> str:
        """The token to use after `refused` was answered with 401: another caller's new one, or that of a new login."""
        if self._token is not None and self._token.value != refused:
            return self._token.value
        return (await self._shared(self._log_in)).value

    async def aclose(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    async def _refreshed(self, token: Token) -> Token:
        try:
            return await self._shared(self._refresh)
        except (ProviderUnavailable, BadResponse) as problem:
            log.info(
                "the token could not be refreshed: %s; it holds for another %.0f s",
                problem,
                token.ends_at - self._clock.monotonic(),
            )
            return token

    async def _shared(self, renew: Callable[[], Awaitable[Token]]) -> Token:
        if self._renewal is None:
            self._renewal = asyncio.ensure_future(self._renew(renew))
            # a failure that no caller is left to be told of is not worth asyncio's complaint: the next one meets it again
            self._renewal.add_done_callback(lambda renewal: renewal.cancelled() or renewal.exception())
        # shielded: a caller that gives up must not take the token from the others
        return await asyncio.shield(self._renewal)

    async def _renew(self, renew: Callable[[], Awaitable[Token]]) -> Token:
        try:
            self._token = await renew()
        finally:
            self._renewal = None
        return self._token

    async def _log_in(self) -> Token:
        answer = await self._http.send("POST", "login", json=self._login.as_json())
        return self._read(answer)

    async def _refresh(self) -> Token:
        assert self._token is not None
        try:
            return self._read(await self._http.get("refresh_token", headers=bearer(self._token.value)))
        except CredentialsRejected:
            return await self._log_in()

    def _read(self, answer: Answer) -> Token:
        try:
            value = orjson.loads(answer.body)["token"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            value = None
        if answer.status != 200 or not isinstance(value, str) or not value:
            # without the body: it may hold a token, and bodies of bad answers are kept
            raise BadResponse(f"{answer.request}: status {answer.status} without a token", b"")
        redaction.obtained(value)
        now, life = self._clock.monotonic(), life_of(value, answer.date)
        return Token(value, now + life * _RENEWED_AT, now + life)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def life_of(token: str, now: datetime) -> float:
    """Seconds from `now`, the provider's clock, to the `exp` that a JWT names; a day where it names none that makes sense."""
    try:
        payload = token.split(".")[1]
        ends = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        life = float(ends) - now.timestamp()
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return TOKEN_LIFE_S
    return min(life, TOKEN_LIFE_S) if life > 0 else TOKEN_LIFE_S

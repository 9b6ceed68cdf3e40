"""Access tokens for webhooks: OAuth2 client credentials (RFC 6749, section 4.4; Bearer, RFC 6750).

    attempt ──▶ token kept and not about to expire? ──▶ request with `Authorization: Bearer …`
                   │ no                                     │ 401: once more, with a new token
                   └──▶ token endpoint, one request for all attempts that wait

oauthlib makes the token request and reads its answer. It goes out by the deliveries' own client: past the address guard, within the
time of the attempt. A token endpoint that fails is a failed attempt of its endpoint, and of no other.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote_plus

import orjson
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

from runtime import lenient_json
from runtime.clock import Clock, SystemClock
from schemas import redaction
from schemas.config.connections import OAuth2
from schemas.delivery import ErrorClass
from sinks.client import HttpClient, Rate, Reply

_LONGEST_KEPT_S = 3600.0
"""Of a token whose lifetime is not told, or longer: an hour costs one request, and a revoked one is not used for days."""
_NEVER_S = 1e9
"""Lifetimes beyond this are no numbers that anybody meant."""
_MARGIN = 0.1
_MOST_MARGIN_S = 60.0
"""A token is replaced this long before its end, since a request takes a while: a tenth of its lifetime, a minute at most."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""`b64token` of RFC 6750. A token of other characters can't stand in the header."""
_ERRORS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
)
"""RFC 6749, section 5.2. What else an endpoint says is not shown: it may repeat the request."""
_UNAUTHORIZED = 401


class NoToken(Exception):
    """The token endpoint gave none. The message is in words of ours."""

    def __init__(self, reason: str, error_class: ErrorClass) -> None:
        super().__init__(f"no access token: {reason}")
        self.error_class = error_class


class Tokens:
    """The access token of one webhook, obtained when it is first needed."""

    def __init__(self, settings: OAuth2, client: HttpClient, clock: Clock | None = None) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock or SystemClock()
        self._token: str | None = None
        self._until = 0.0
        self._obtaining: asyncio.Task[str] | None = None

    async def token(self, refused: str | None = None) -> str:
        """A token other than `refused`. Raises NoToken. Those that wait together make one request, and share what comes of it."""
        if self._token is not None and self._token != refused and self._clock.monotonic() < self._until:
            return self._token
        if self._obtaining is None or self._obtaining.done():
            self._token = None
            self._obtaining = asyncio.create_task(self._obtain(), name="oauth2 token")
            self._obtaining.add_done_callback(_seen)
        # one attempt that is cancelled must not fail the others
        return await asyncio.shield(self._obtaining)

    async def _obtain(self) -> str:
        body, headers = token_request(self._settings)
        asked_at = self._clock.monotonic()
        token, lifetime = token_of(await self._client.post(self._settings.token_url, body, headers))
        kept = min(lifetime or _LONGEST_KEPT_S, _LONGEST_KEPT_S)
        self._until = asked_at + kept - min(kept * _MARGIN, _MOST_MARGIN_S)
        self._token = token
        redaction.obtained(token)
        return token


def _seen(obtaining: asyncio.Task[str]) -> None:
    """Its error is for those who wait; where all of them have gone, for nobody."""
    if not obtaining.cancelled():
        obtaining.exception()


class Authorized:
    """A client for one endpoint, whose requests bear an access token. `timeout_s`: of an attempt as a whole, token and second request
    included."""

    def __init__(
        self, client: HttpClient, rate: Rate | None, tls: ssl.SSLContext | None, tokens: Tokens, timeout_s: float
    ) -> None:
        self._client = client
        self._rate = rate
        self._tls = tls
        self._tokens = tokens
        self._timeout_s = timeout_s

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        loop = asyncio.get_running_loop()
        start = loop.time()
        deadline = start + self._timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                token = await self._tokens.token()
            reply = await self._post(url, body, headers, token, deadline)
            if reply.status == _UNAUTHORIZED:
                reply = await self._again(reply, url, body, headers, token, deadline)
        except NoToken as problem:
            reply = Reply(0.0, error=str(problem), error_class=problem.error_class)
        except TimeoutError:
            reply = Reply(0.0, error=f"no access token: no answer within {self._timeout_s:g} s", error_class=ErrorClass.TIMEOUT)
        return reply._replace(ms=round((loop.time() - start) * 1000, 2))

    async def _again(
        self, refused: Reply, url: str, body: bytes, headers: Mapping[str, str], token: str, deadline: float
    ) -> Reply:
        """With a new token, as one more request of the rate; the refusal where there is no time left for that."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(deadline):
                    token = await self._tokens.token(refused=token)
                    if self._rate is not None:
                        await stack.enter_async_context(self._rate.request())
            except TimeoutError:
                return refused
            reply = await self._post(url, body, headers, token, deadline)
        return reply._replace(note="status 401: sent again with a new access token")

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], token: str, deadline: float) -> Reply:
        left = max(deadline - asyncio.get_running_loop().time(), 0.0)
        bearing = {**headers, "authorization": f"Bearer {token}"}
        return await self._client.post(url, body, bearing, self._rate, tls=self._tls, within_s=left)


def token_request(settings: OAuth2) -> tuple[bytes, dict[str, str]]:
    """Body and headers."""
    secret = settings.client_secret.get_secret_value()
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json", "accept-encoding": "identity"}
    said: dict[str, Any] = dict(settings.parameters)
    if settings.authentication == "body":
        said |= {"include_client_id": True, "client_secret": secret}
    else:
        # form-encoded before they are joined (RFC 6749, section 2.3.1)
        pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    oauth = BackendApplicationClient(settings.client_id)
    return oauth.prepare_request_body(scope=settings.scope or None, **said).encode(), headers


def token_of(reply: Reply) -> tuple[str, float | None]:
    """The token and its lifetime in seconds; None where that is not told. Raises NoToken."""
    if reply.status is None:
        raise NoToken(f"token endpoint: {reply.error}", reply.error_class or ErrorClass.CONNECTION)
    said = _document(reply.body)
    if not 200 <= reply.status < 300:
        word = f", {said['error']}" if said.get("error") in _ERRORS else ""
        raise NoToken(f"token endpoint: status {reply.status}{word}", ErrorClass.STATUS)
    try:
        token = BackendApplicationClient("").parse_request_body_response(orjson.dumps(said).decode())
    except OAuth2Error as problem:
        word = f" ({problem.error})" if problem.error in _ERRORS else ""
        raise NoToken(f"there is none in the answer of the token endpoint{word}", ErrorClass.PROTOCOL) from None
    text = token.get("access_token")
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise NoToken("that of the token endpoint can't stand in a header", ErrorClass.PROTOCOL)
    if str(token.get("token_type", "Bearer")).lower() != "bearer":
        raise NoToken("that of the token endpoint is no Bearer token", ErrorClass.PROTOCOL)
    lifetime = token.get("expires_in")
    return text, float(lifetime) if isinstance(lifetime, int | float) and lifetime > 0 else None


def _document(body: bytes) -> dict[str, Any]:
    """What an answer says as far as it concerns us; a lifetime that is no sensible number is none."""
    try:
        said = lenient_json.loads(body)
    except ValueError:
        return {}
    if not isinstance(said, dict):
        return {}
    known = {key: said[key] for key in ("access_token", "token_type", "error") if isinstance(said.get(key), str)}
    try:
        lifetime = float(said.get("expires_in", "nan"))
    except (TypeError, ValueError, OverflowError):
        return known
    return {**known, "expires_in": int(lifetime)} if 0 < lifetime < _NEVER_S else known

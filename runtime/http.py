"""One provider's HTTP: a request budget, time-outs, bodies of limited size, and retries of what may pass.

httpx over aiohttp's connections: the same client that httpx users know, at several times the rate of its own pool.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from random import Random
from typing import Any, Self

import aiohttp
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport

from runtime import clock_check, lenient_json
from runtime.backoff import Backoff
from runtime.clock import Clock, SystemClock
from runtime.dns import Resolver
from runtime.http_cache import Freshness, freshness
from runtime.http_dates import retry_after
from runtime.outbound import Outbound, Proxy
from runtime.rate import RateLimit
from runtime.reasons import reason_of
from runtime.wire import Connector
from schemas import redaction
from schemas.config import Provider

log = logging.getLogger(__name__)

ATTEMPTS = 4
"""Calls of one GET before it is given up: with the pauses between them, some seconds of trouble are got over."""
_RETRYABLE = frozenset({408, 425, 429})
"""Beside all 5xx: the gateways before these APIs have numbers of their own, such as 520 to 530."""

_UNSAID_PAUSE_S = 1.0
"""After a 429 that says no time: the limits are per second, and the other requests under way would only meet the same."""

_LONGEST_WAIT_S = 60.0
"""A longer Retry-After is the caller's to wait for: it may have better to do, and must be able to tell."""

_MAX_RETRY_AFTER_S = 3600.0
"""A provider that asks for more is asked again after an hour: a typo in a header must not end the polling."""
_EXCERPT = 200
_MESSAGE_BYTES = 2048
_CONNECTIONS = 64
_KEEPALIVE_S = 4.0
"""Many servers close an idle connection after 5 s: rather close it before them than send into a closed one."""
_MAX_HEADER_BYTES = 64 * 1024
"""Of one response header: gateways and policies add long ones. A longer one fails its own request."""

Params = Mapping[str, str | int | Sequence[str]]


class ProviderError(Exception):
    """A provider did not give what was asked for. The message names the request, and is redacted: it may quote an answer."""

    def __init__(self, message: str) -> None:
        super().__init__(redaction.excerpt(message, _MESSAGE_BYTES))


class ProviderUnavailable(ProviderError):
    """It may pass: time-outs, refused connections, 429, 5xx. `retry_after` in seconds where the provider said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotItsOwn(ProviderUnavailable):
    """A 403, 404 or 410 in other words than the provider's: a gateway, a firewall or a maintenance page answered in its place, and
    nothing is known of what was asked for."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.request}: status {answer.status}, not in the provider's own words: {answer.excerpt()}")


class BadResponse(ProviderError):
    """It answered, with something that can't be read. `body` holds the bytes as they came."""

    def __init__(self, message: str, body: bytes) -> None:
        super().__init__(message)
        self.body = body


class CredentialsRejected(ProviderError):
    """401: the key is wrong or has ended. Asking again soon does not help."""


@dataclass(frozen=True)
class Answer:
    """A response read to its end. `date`: the time of the state that it shows, on the provider's clock, which is older than the receipt
    where a cache had kept it. `cached` says whether one had; `expires_in_s` when that cache asks again, None where it is not known."""

    status: int
    headers: httpx.Headers
    body: bytes
    date: datetime
    request: str
    cached: bool = False
    expires_in_s: float | None = None

    def json(self) -> Any:
        """The body as JSON; one bad text or number in it spoils no other. Raises BadResponse with the bytes where it is none."""
        try:
            return lenient_json.loads(self.body)
        except ValueError as error:
            raise BadResponse(f"{self.request}: status {self.status}, not JSON: {self.excerpt()}", self.body) from error

    def json_or_none(self) -> Any:
        """The body as JSON, None where it is none."""
        try:
            return self.json()
        except BadResponse:
            return None

    def excerpt(self) -> str:
        return repr(redaction.excerpt(self.body, _EXCERPT, cut=True))


class ProviderHttp:
    """Requests of one provider. Every one waits for its turn in the budget; GETs are tried `attempts` times."""

    def __init__(
        self,
        base_url: str,
        *,
        rate: RateLimit,
        timeout_s: float,
        max_body_bytes: int,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        attempts: int = ATTEMPTS,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        outbound: Outbound | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.rate = rate
        self._timeout_s = timeout_s
        self._max_body_bytes = max_body_bytes
        self._attempts = attempts
        self._backoff = backoff or Backoff()
        self._clock = clock or SystemClock()
        self._random = random or Random()
        self._skew = timedelta()
        self._resolver = Resolver()
        outbound = outbound or Outbound()
        proxy = outbound.proxy_for(self.base_url)
        self._client = httpx.AsyncClient(
            transport=AiohttpTransport(
                verify=outbound.ssl_context,
                client=lambda: _session(self._resolver, outbound.ssl_context, proxy),
            ),
            headers={"Accept": "application/json", "User-Agent": "changecast", **(headers or {})},
            auth=auth,
            timeout=timeout_s,
            follow_redirects=False,
            cookies=_no_cookies(),
        )

    @classmethod
    def of(
        cls,
        settings: Provider,
        rate: RateLimit,
        *,
        attempts: int,
        clock: Clock,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        outbound: Outbound | None = None,
    ) -> Self:
        """For a provider's section of the config."""
        return cls(
            settings.base_url,
            rate=rate,
            timeout_s=settings.timeout.total_seconds(),
            max_body_bytes=settings.max_body_bytes,
            headers=headers,
            auth=auth,
            attempts=attempts,
            clock=clock,
            outbound=outbound,
        )

    async def aclose(self) -> None:
        await self._client.aclose()
        await self._resolver.close()

    async def get(
        self,
        path: str,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        at_least: int = 1,
    ) -> Answer:
        """GET until there is an answer other than 429 and 5xx. `path` may be an absolute URL of the same provider (a next link).
        `at_least`: attempts, for one of many requests of which none may be wasted by the failure of another.

        Raises ProviderUnavailable after the last attempt, or at once where the provider asks for a longer wait than a minute;
        CredentialsRejected on 401; BadResponse on a redirect and on a body that is too large.
        """
        attempts = max(self._attempts, at_least)
        for attempt in range(1, attempts + 1):
            try:
                answer = await self.send("GET", path, params=params, headers=headers)
            except ProviderUnavailable as problem:
                if attempt == attempts or (problem.retry_after or 0.0) > _LONGEST_WAIT_S:
                    raise
                delay = max(self._backoff.delay(attempt, self._random), problem.retry_after or 0.0)
                log.info("%s; attempt %d of %d in %.1f s", problem, attempt + 1, attempts, delay)
                await self._clock.sleep(delay)
            else:
                return answer
        raise AssertionError("unreachable")

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: object | None = None,
    ) -> Answer:
        """One request, once. 4xx other than 401, 408, 425 and 429 are answers; a redirect is a BadResponse: credentials stay here."""
        url = self._url(path)
        named = f"{method} {httpx.URL(url).path}"
        try:
            async with self.rate.request(), asyncio.timeout(self._timeout_s):
                answer = await self._exchange(method, url, named, params=params, headers=headers, json=json)
        except TimeoutError as error:
            raise ProviderUnavailable(f"{named}: no whole answer within {self._timeout_s:g} s") from error
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            # aiohttp's own where the transport does not translate it: an answer that is no HTTP
            # and without its name: the transport calls a host that can't be found a ConnectTimeout
            where = (
                f"no connection to {httpx.URL(url).host}: "
                if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                else ""
            )
            raise ProviderUnavailable(f"{named}: {where}{reason_of(error)}") from error
        if answer.status in _RETRYABLE or answer.status >= 500:
            wait = _asked_wait(answer)
            if wait is not None:
                self.rate.pause(wait)
            elif answer.status == 429:
                self.rate.pause(_UNSAID_PAUSE_S)
            raise ProviderUnavailable(f"{named}: status {answer.status}: {answer.excerpt()}", wait)
        if answer.status == 407:
            raise ProviderUnavailable(f"{named}: status 407: the proxy does not accept our credentials")
        if answer.status == 401:
            raise CredentialsRejected(f"{named}: status 401: {answer.excerpt()}")
        if 300 <= answer.status < 400:
            raise BadResponse(f"{named}: redirects to {answer.headers.get('location')}, which is not followed", answer.body)
        return answer

    def _url(self, path: str) -> str:
        if not path.startswith(("http://", "https://")):
            return f"{self.base_url}/{path.lstrip('/')}"
        base = httpx.URL(self.base_url)
        try:
            link = httpx.URL(path)
            host = link.host
        except (httpx.InvalidURL, ValueError) as error:  # ValueError: a host name that is no IDNA
            raise BadResponse(f"a link from {self.base_url} can't be read: it is no URL", path.encode()) from error
        if host == base.host and link.port is None and base.port is None:
            # a server behind a proxy may not know that it is reached by https
            link = link.copy_with(scheme=base.scheme)
        if (link.scheme, host, link.port) != (base.scheme, base.host, base.port):
            raise BadResponse(f"a link leads from {self.base_url} to {path}; credentials do not go there", path.encode())
        return str(link)

    async def _exchange(
        self, method: str, url: str, named: str, *, params: Params | None, headers: Mapping[str, str] | None, json: object | None
    ) -> Answer:
        content = None if json is None else orjson.dumps(json)
        sent = {**(headers or {}), **({"Content-Type": "application/json"} if json is not None else {})}
        # httpx drops a query that stands in the URL when it is given params, even empty ones
        query: Any = params or None
        async with self._client.stream(method, url, params=query, headers=sent, content=content) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._max_body_bytes:
                    raise BadResponse(f"{named}: the body is larger than {self._max_body_bytes} bytes", bytes(body[:_EXCERPT]))
            clock_check.SHARED.observe(response.url.host, response.headers)
            state = self._freshness(response.headers)
            return Answer(
                response.status_code, response.headers, bytes(body), state.as_of, named, state.cached, state.expires_in_s
            )

    def now(self) -> datetime:
        """The provider's clock: ours, until an answer that no cache kept has told it."""
        try:
            return self._clock.now() + self._skew
        except OverflowError:
            return self._clock.now()

    def _freshness(self, headers: httpx.Headers) -> Freshness:
        state = freshness(headers, self.now())
        if state.date is not None and not state.cached:
            self._skew = state.date - self._clock.now()
        return state


def _asked_wait(answer: Answer) -> float | None:
    """Seconds that a Retry-After asks for, as far as it is obeyed."""
    wait = retry_after(answer.headers.get("retry-after"), answer.date)
    return None if wait is None else min(wait, _MAX_RETRY_AFTER_S)


def _session(resolver: Resolver, trust: ssl.SSLContext, proxy: Proxy | None) -> aiohttp.ClientSession:
    connector = Connector(limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE_S, ssl=trust, resolver=resolver)
    return aiohttp.ClientSession(
        connector=connector,
        middlewares=(_once,),
        cookie_jar=aiohttp.DummyCookieJar(),
        max_field_size=_MAX_HEADER_BYTES,
        proxy=None if proxy is None else proxy.for_aiohttp(),
    )


def _no_cookies() -> CookieJar:
    """Keeps none: no provider needs a session, and one cookie that can't be sent back would fail every later request."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp sends a GET whose connection breaks a second time, unasked: a request that no budget has been charged for."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error)) from error

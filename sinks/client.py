"""The HTTP client of all deliveries: one connection pool, every new connection past the address guard."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

import aiohttp
from aiohttp.payload import BytesPayload
from yarl import URL

from runtime import clock_check
from runtime.descriptors import OutOfDescriptors, is_shortage
from runtime.dns import LookupFailed, Resolver
from runtime.http_dates import retry_after
from runtime.outbound import Outbound, Proxy, is_loopback, written_address
from runtime.reasons import reason_of
from runtime.wire import NoAnswer, Response, session
from schemas import redaction
from schemas.config import Delivery
from schemas.config.addresses import wire_address
from schemas.delivery import MAX_ANSWER_BYTES, ErrorClass
from sinks.answer import Answer, Meaning
from sinks.guard import AddressRefused, Network, check, guarded_socket
from sinks.retry import RETRY_AFTER_STATUSES

_KEEPALIVE_S = 4.0
"""Many servers close an idle connection after 5 s: rather close it before them than send into a closed one."""
_DNS_CACHE_S = 10
"""Short, so that a receiver can move. Safe at any length: the guard looks at the address that is connected to."""
_DRAIN_S = 1.0
"""The answer is in the status; so long is waited for the rest of a 2xx, which lets the connection be used again."""
_SHORTEST_S = 0.001
_GONE = 410
_CLOSED_WHILE_IDLE = "the receiver had closed the idle connection"
_SENT_AGAIN = f"{_CLOSED_WHILE_IDLE}: sent again on a new one"


class Reply(NamedTuple):
    """A response: its first bytes, or why there is none. `status` None: nothing came back that says what became of the request.
    `is_malformed`: no valid HTTP behind the status line. `is_stale`: a reused connection that had been closed before the request.
    `note`: what an operator may want to hear of the exchange beside its result."""

    ms: float
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    error: str | None = None
    address: str | None = None
    error_class: ErrorClass | None = None
    is_malformed: bool = False
    is_stale: bool = False
    note: str | None = None

    @property
    def text(self) -> str | None:
        """The beginning, redacted: some receivers echo the request. The body itself may be cut anywhere."""
        return redaction.excerpt(self.body, MAX_ANSWER_BYTES, cut=True) or None

    @property
    def retry_after(self) -> float | None:
        if self.status not in RETRY_AFTER_STATUSES or self.headers is None:
            return None
        return retry_after(self.headers.get("Retry-After"), datetime.now(UTC))


class _Target(NamedTuple):
    """An address of the config as it is called. `headers`: its user and password."""

    url: URL
    headers: Mapping[str, str]


def _target(address: str) -> _Target:
    wire = wire_address(address)
    if wire.userinfo is None:
        return _Target(URL(wire.url, encoded=True), {})
    user, _, password = wire.userinfo.partition(":")
    login = b"%s:%s" % (unquote_to_bytes(user), unquote_to_bytes(password))
    return _Target(URL(wire.url, encoded=True), {"authorization": f"Basic {base64.b64encode(login).decode()}"})


class Rate(Protocol):
    """Leave to send one more request: the block is entered when it may go, and left when it has its answer."""

    def request(self) -> AbstractAsyncContextManager[None]: ...


class Poster(Protocol):
    """What a sender needs of a client."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """One request. What goes wrong on the way is a Reply without a status."""


class HttpClient(Protocol):
    """What `Client` is to those who call endpoints with it."""

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        rate: Rate | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        within_s: float | None = None,
    ) -> Reply: ...


class _Pools(NamedTuple):
    """`kept`: connections that are used again. `fresh`: those of one request each."""

    kept: aiohttp.ClientSession
    fresh: aiohttp.ClientSession


class _Request(NamedTuple):
    pools: _Pools
    url: str
    body: bytes
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None


class Client:
    """Posts bodies. Redirects are not followed, cookies not kept, proxies of the environment not used: only `delivery.proxy`."""

    def __init__(
        self,
        settings: Delivery,
        allow: Sequence[Network] = (),
        nameservers: Sequence[str] = (),
        outbound: Outbound | None = None,
    ) -> None:
        self._max_response = settings.max_response_bytes
        self._resolver = Resolver(settings.connect_timeout.total_seconds(), nameservers)
        self._timeout_s = settings.timeout.total_seconds()
        self._connect_timeout_s = settings.connect_timeout.total_seconds()
        self._allow = allow
        self._connecting: dict[str, Any] = {
            "limit": 0,  # each endpoint has its own limit
            "resolver": self._resolver,
            "ttl_dns_cache": _DNS_CACHE_S,
            "ssl": (outbound or Outbound()).ssl_context,
        }
        self._direct = self._pools(socket_factory=guarded_socket(allow))
        proxy = None if settings.proxy is None else Proxy.of(settings.proxy.get_secret_value())
        self._proxied = None if proxy is None else self._pools(proxy=proxy.for_aiohttp())
        self._targets: dict[str, _Target] = {}

    async def aclose(self) -> None:
        for pools in (self._direct, self._proxied):
            if pools is not None:
                await pools.kept.close()
                await pools.fresh.close()
        await self._resolver.close()

    def _pools(self, **connecting: Any) -> _Pools:
        within, connecting = self._within(self._timeout_s), {**self._connecting, **connecting}
        return _Pools(
            session(within, keepalive_timeout=_KEEPALIVE_S, **connecting), session(within, force_close=True, **connecting)
        )

    def _pools_for(self, url: str) -> _Pools:
        """Loopback is never reached by way of the proxy. Raises AddressRefused: what the proxy connects to can't be checked here, but an
        address that is written in the URL can; ValueError for what is no URL."""
        host = self._target(url).url.host or ""
        if self._proxied is None or is_loopback(host):
            return self._direct
        if (address := written_address(host)) is not None:
            check(str(address), self._allow)
        return self._proxied

    def _target(self, url: str) -> _Target:
        """Raises ValueError for what is no URL."""
        if (target := self._targets.get(url)) is None:
            target = self._targets[url] = _target(url)
        return target

    def _within(self, seconds: float) -> aiohttp.ClientTimeout:
        # aiohttp takes 0 and less for no limit at all
        return aiohttp.ClientTimeout(total=max(seconds, _SHORTEST_S), sock_connect=self._connect_timeout_s)

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        rate: Rate | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        within_s: float | None = None,
    ) -> Reply:
        """One request, answered within `within_s` where that is shorter than `delivery.timeout`. `tls`: instead of the client's own. What
        goes wrong on the way is a Reply without a status. One that met a connection which the receiver had closed while it was idle is
        sent once more, on a new connection: within the same time-out, and as one more request of `rate`. Raises
        OutOfDescriptors, after nothing has been sent."""
        start = time.monotonic()
        try:
            pools = self._pools_for(url)
        except AddressRefused as problem:
            return Reply(_since(start), error=str(problem), error_class=ErrorClass.ADDRESS_REFUSED)
        except ValueError as problem:
            return Reply(_since(start), error=_error_words(problem), error_class=ErrorClass.PROTOCOL)
        timeout_s = self._timeout_s if within_s is None else min(within_s, self._timeout_s)
        reply = await self._send(_Request(pools, url, body, headers, tls), rate, timeout_s)
        # a connection by way of a proxy ends at the proxy's address
        return reply if pools is self._direct else reply._replace(address=None)

    async def _send(self, request: _Request, rate: Rate | None, timeout_s: float) -> Reply:
        start = time.monotonic()
        reply = await self._post(request.pools.kept, request, timeout_s)
        if not reply.is_stale:
            return reply
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(timeout_s - (time.monotonic() - start)):
                    if rate is not None:
                        await stack.enter_async_context(rate.request())
            except TimeoutError:
                return reply._replace(ms=_since(start))
            again = await self._post(request.pools.fresh, request, timeout_s - (time.monotonic() - start))
        return again._replace(ms=_since(start), note=_SENT_AGAIN)

    async def _post(self, session: aiohttp.ClientSession, request: _Request, timeout_s: float) -> Reply:
        start = time.monotonic()
        try:
            target = self._target(request.url)
            posted = session.post(
                target.url,
                data=BytesPayload(request.body),
                headers={**request.headers, **target.headers},
                allow_redirects=False,
                timeout=self._within(timeout_s),
                ssl=True if request.tls is None else request.tls,
            )
            return await self._exchange(start, posted)
        except aiohttp.ConnectionTimeoutError:
            kind, error = ErrorClass.TIMEOUT, f"no connection within {self._connect_timeout_s:g} s"
        except TimeoutError:
            kind, error = ErrorClass.TIMEOUT, f"no answer within {self._timeout_s:g} s"
        except aiohttp.ClientConnectorError as problem:
            if not isinstance(problem, aiohttp.ClientSSLError) and is_shortage(problem.os_error):
                raise OutOfDescriptors(problem.os_error.errno, problem.os_error.strerror) from problem
            kind, error = _connect_error(problem)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as problem:
            # TLS 1.3: a receiver that does not take our certificate says so after the handshake
            kind = ErrorClass.TLS if isinstance(problem.__cause__, ssl.SSLError) else ErrorClass.CONNECTION
            error = _error_words(problem)
        except aiohttp.ClientHttpProxyError as problem:
            kind, error = ErrorClass.CONNECTION, f"no connection: {reason_of(problem)}"
        except (aiohttp.ClientError, ValueError) as problem:
            kind, error = ErrorClass.PROTOCOL, _error_words(problem)
        except (OSError, ssl.SSLError) as problem:
            kind, error = ErrorClass.CONNECTION, f"connection lost: {reason_of(problem)}"
        return Reply(_since(start), error=error, error_class=kind)

    async def _exchange(self, start: float, posted: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> Reply:
        """Raises what aiohttp does where the receiver did not answer."""
        try:
            async with posted as response:
                assert isinstance(response, Response)
                read, is_whole = await self._read(response)
                handler = response.handler
                clock_check.SHARED.observe(response.url.host or "", response.headers)
                is_malformed = handler.is_malformed or not is_whole
                return Reply(
                    _since(start), response.status, response.headers, read, address=handler.peer, is_malformed=is_malformed
                )
        except NoAnswer as cut:
            if cut.status is not None and 200 <= cut.status < 300:
                # what the receiver has plainly taken must not be sent again
                return Reply(_since(start), cut.status, address=cut.peer, is_malformed=True)
            if cut.is_stale:
                return Reply(_since(start), error=_CLOSED_WHILE_IDLE, error_class=ErrorClass.CONNECTION, is_stale=True)
            if cut.status is not None and isinstance(cut.problem, aiohttp.ClientResponseError):
                error = f"malformed HTTP answer, with status {cut.status}"
                return Reply(_since(start), error=error, error_class=ErrorClass.PROTOCOL, address=cut.peer)
            raise cut.problem from cut.problem.__cause__  # which says why, where OpenSSL refused

    async def _read(self, response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
        """The first bytes of the body, and whether it is well-formed as far as it was read. A receiver that has said 2xx and then lets
        the rest drip has received all the same."""
        if response.content.at_eof():
            return b"", True
        read = bytearray()
        try:
            async with asyncio.timeout(_DRAIN_S if 200 <= response.status < 300 else None):
                while len(read) < self._max_response:
                    chunk = await response.content.read(self._max_response - len(read))
                    if not chunk:
                        return bytes(read), True
                    read += chunk
        except (TimeoutError, aiohttp.ClientError) as problem:
            response.close()
            return bytes(read), isinstance(problem, TimeoutError)
        if not response.content.at_eof():
            response.close()  # rather a new connection than the rest of an endless body
        return bytes(read), True


class Paced:
    """A client for one endpoint. Who calls it has leave for one request of `rate`; for a second one it asks itself. `tls`: the
    endpoint's own, with a client certificate."""

    def __init__(self, client: HttpClient, rate: Rate | None, tls: ssl.SSLContext | None = None) -> None:
        self._client = client
        self._rate = rate
        self._tls = tls

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        return await self._client.post(url, body, headers, self._rate, tls=self._tls)


def plain_answer(reply: Reply) -> Answer:
    """What a reply means by HTTP alone: only 2xx succeeds, a well-formed 410 ends the endpoint."""
    if reply.status is None:
        return Answer(
            Meaning.FAILED,
            reply.ms,
            error=reply.error,
            address=reply.address,
            error_class=reply.error_class,
            note=reply.note,
        )
    if 200 <= reply.status < 300:
        return Answer(Meaning.DELIVERED, reply.ms, reply.status, address=reply.address, text=reply.text, note=reply.note)
    meaning, kind, error = Meaning.FAILED, ErrorClass.STATUS, f"status {reply.status}"
    if reply.status == _GONE and not reply.is_malformed:
        meaning, kind = Meaning.GONE, ErrorClass.GONE
    elif 300 <= reply.status < 400:
        kind = ErrorClass.REDIRECT
        error += ", and redirects are not followed"
    return Answer(meaning, reply.ms, reply.status, error, reply.retry_after, reply.address, reply.text, kind, reply.note)


def _connect_error(problem: aiohttp.ClientConnectorError) -> tuple[ErrorClass, str]:
    if isinstance(problem, aiohttp.ClientSSLError):
        # a certificate's error has no os_error
        return ErrorClass.TLS, f"no connection to {problem.host}:{problem.port}: {reason_of(problem)}"
    reason = problem.os_error
    if isinstance(reason, AddressRefused) or "network.allow" in str(reason):
        return ErrorClass.ADDRESS_REFUSED, str(reason)
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        why = reason.strerror if isinstance(reason, LookupFailed) else reason_of(reason)
        return ErrorClass.DNS, f"the host name {problem.host!r} has no address: {why}"
    to = "the proxy " if isinstance(problem, aiohttp.ClientProxyConnectionError) else ""
    return ErrorClass.CONNECTION, f"no connection to {to}{problem.host}:{problem.port}: {reason_of(reason)}"


def _error_words(problem: Exception) -> str:
    """Never a library's text: aiohttp puts the URL, which may hold a secret, into some of its messages."""
    if isinstance(problem, ValueError) and not isinstance(problem, aiohttp.ClientError):
        return "a header or the URL holds characters that HTTP does not allow"
    return reason_of(problem)


def _since(start: float) -> float:
    return round((time.monotonic() - start) * 1000, 2)

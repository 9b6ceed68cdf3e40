"""The HTTP client of all deliveries: one connection pool, every new connection past the address guard."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Self

import aiohttp
from aiohttp.connector import Connection
from aiohttp.payload import BytesPayload
from yarl import URL

from runtime.dns import Resolver
from runtime.http_dates import retry_after
from schemas.config import Delivery
from schemas.delivery import MAX_ANSWER_BYTES, ErrorClass
from sinks.answer import Answer, Meaning
from sinks.guard import AddressRefused, Network, guarded_socket
from sinks.retry import RETRY_AFTER_STATUSES

_KEEPALIVE_S = 30.0
_DNS_CACHE_S = 10
"""Short, so that a receiver can move. Safe at any length: the guard looks at the address that is connected to."""
_DRAIN_S = 1.0
"""The answer is in the status; so long is waited for the rest of a 2xx, which lets the connection be used again."""
_GONE = 410


class _Response(aiohttp.ClientResponse):
    """Remembers the receiver's address, which is gone once the connection is back in the pool."""

    peer: str | None = None

    async def start(self, connection: Connection) -> Self:
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport else None
        self.peer = peer[0] if peer else None
        await super().start(connection)
        return self


class Reply(NamedTuple):
    """A response: its first bytes, or why there is none. `status` None: nothing came back."""

    ms: float
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    error: str | None = None
    address: str | None = None
    error_class: ErrorClass | None = None

    @property
    def text(self) -> str | None:
        """The beginning, without the half of a character at its end."""
        return self.body[:MAX_ANSWER_BYTES].decode("utf-8", "replace").removesuffix("\ufffd") or None

    @property
    def retry_after(self) -> float | None:
        if self.status not in RETRY_AFTER_STATUSES or self.headers is None:
            return None
        return retry_after(self.headers.get("Retry-After"), datetime.now(UTC))


class Client:
    """Posts bodies. Redirects are not followed, cookies not kept, proxies of the environment not used."""

    def __init__(self, settings: Delivery, allow: Sequence[Network] = (), nameservers: Sequence[str] = ()) -> None:
        self._max_response = settings.max_response_bytes
        self._resolver = Resolver(settings.connect_timeout.total_seconds(), nameservers)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # each endpoint has its own limit
                socket_factory=guarded_socket(allow),
                resolver=self._resolver,
                ttl_dns_cache=_DNS_CACHE_S,
                keepalive_timeout=_KEEPALIVE_S,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=settings.timeout.total_seconds(), sock_connect=settings.connect_timeout.total_seconds()
            ),
            response_class=_Response,
            auto_decompress=False,  # a small answer must not unfold into a gigabyte
            trust_env=False,
        )
        self._parsed: dict[str, URL] = {}
        self._timeout = f"{settings.timeout.total_seconds():g} s"
        self._connect_timeout = f"{settings.connect_timeout.total_seconds():g} s"

    async def aclose(self) -> None:
        await self._session.close()
        await self._resolver.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """One request. What goes wrong on the way is a Reply without a status."""
        start = time.monotonic()
        try:
            if (parsed := self._parsed.get(url)) is None:
                parsed = self._parsed[url] = URL(url)
            async with self._session.post(parsed, data=BytesPayload(body), headers=headers, allow_redirects=False) as response:
                read = await self._read(response)
                return Reply(_since(start), response.status, response.headers, read, address=_peer(response))
        except aiohttp.ConnectionTimeoutError:
            kind, error = ErrorClass.TIMEOUT, f"no connection within {self._connect_timeout}"
        except TimeoutError:
            kind, error = ErrorClass.TIMEOUT, f"no answer within {self._timeout}"
        except aiohttp.ClientConnectorError as problem:
            kind, error = _connect_error(problem)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as problem:
            kind, error = ErrorClass.CONNECTION, _error_words(problem)
        except (aiohttp.ClientError, ValueError) as problem:
            kind, error = ErrorClass.PROTOCOL, _error_words(problem)
        except (OSError, ssl.SSLError) as problem:
            kind, error = ErrorClass.CONNECTION, f"connection lost: {problem}"
        return Reply(_since(start), error=error, error_class=kind)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The first bytes of the body. A receiver that has said 2xx and then lets the rest drip has received all the same."""
        if response.content.at_eof():
            return b""
        read = bytearray()
        try:
            async with asyncio.timeout(_DRAIN_S if 200 <= response.status < 300 else None):
                while len(read) < self._max_response:
                    chunk = await response.content.read(self._max_response - len(read))
                    if not chunk:
                        return bytes(read)
                    read += chunk
        except (TimeoutError, aiohttp.ClientError):
            response.close()
            return bytes(read)
        if not response.content.at_eof():
            response.close()  # rather a new connection than the rest of an endless body
        return bytes(read)


def plain_answer(reply: Reply) -> Answer:
    """What a reply means by HTTP alone: only 2xx succeeds, 410 ends the endpoint."""
    if reply.status is None:
        return Answer(Meaning.FAILED, reply.ms, error=reply.error, address=reply.address, error_class=reply.error_class)
    if 200 <= reply.status < 300:
        return Answer(Meaning.DELIVERED, reply.ms, reply.status, address=reply.address, text=reply.text)
    meaning, kind, error = Meaning.FAILED, ErrorClass.STATUS, f"status {reply.status}"
    if reply.status == _GONE:
        meaning, kind = Meaning.GONE, ErrorClass.GONE
    elif 300 <= reply.status < 400:
        kind = ErrorClass.REDIRECT
        error += ", and redirects are not followed"
    return Answer(meaning, reply.ms, reply.status, error, reply.retry_after, reply.address, reply.text, kind)


def _connect_error(problem: aiohttp.ClientConnectorError) -> tuple[ErrorClass, str]:
    reason = problem.os_error
    if isinstance(reason, AddressRefused) or "network.allow" in str(reason):
        return ErrorClass.ADDRESS_REFUSED, str(reason)
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        return ErrorClass.DNS, f"the host name {problem.host!r} has no address: {reason.strerror or reason}"
    kind = ErrorClass.TLS if isinstance(problem, aiohttp.ClientSSLError) else ErrorClass.CONNECTION
    return kind, f"no connection to {problem.host}:{problem.port}: {reason.strerror or reason}"


def _error_words(problem: Exception) -> str:
    """Never the URL, which may hold a secret: aiohttp puts it into some of its messages."""
    if isinstance(problem, aiohttp.InvalidURL):
        return "the URL can't be used"
    if isinstance(problem, aiohttp.ClientResponseError):
        return f"no HTTP response: {problem.message}"
    if isinstance(problem, ValueError) and not isinstance(problem, aiohttp.ClientError):
        return "a header or the URL holds characters that HTTP does not allow"
    return f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__


def _peer(response: aiohttp.ClientResponse) -> str | None:
    return response.peer if isinstance(response, _Response) else None


def _since(start: float) -> float:
    return round((time.monotonic() - start) * 1000, 2)

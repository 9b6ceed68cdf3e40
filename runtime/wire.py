"""An answer as it came over the wire, below what aiohttp makes of it.

For aiohttp an answer is valid HTTP or none at all. A receiver whose status line says 2xx has taken the event all the same, and must not
get it again for a malformed header behind that line. So the connections of deliveries read the status line on their own:

    bytes ──▶ AnswerHandler ──▶ StatusLine          the code, whatever follows
                    └─────────▶ aiohttp's parser    headers and body, or an error ──▶ NoAnswer(error, code)
"""

from __future__ import annotations

import asyncio
import functools
import re
from typing import Any, Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.helpers import set_exception
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

_CODE = re.compile(rb"HTTP/[\d.]{1,5}[ \t]{1,8}(\d{3})(?=[ \t\r\n])", re.IGNORECASE)
_CODE_BYTES = 32
"""More than the longest beginning that `_CODE` matches."""
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_SWITCHING = 101
_HEAD_BYTES = 1024 * 1024
"""Of an answer up to the end of its headers: as much as aiohttp takes of one, and of interim answers before it altogether."""
_STALE_S = 1.0
"""A server that closes an idle connection just as the next request is on its way does so at once; one that dies later had the request."""
_BODILESS = frozenset({204, 304})
_READABLE_ENCODINGS = (["chunked"], ["Chunked"])
"""aiohttp reads the body of others, too, but not by what they mean."""


class StatusLine:
    """Finds the code of the final status line in the bytes of an answer, however they are cut. Interim answers (1xx) are passed over."""

    def __init__(self) -> None:
        self.code: int | None = None
        self._ended = False
        self._in_head = False
        self._seen = b""

    def feed(self, data: bytes) -> None:
        if self._ended:
            return
        self._seen += data
        while not self._ended and (self._skip_head() if self._in_head else self._read_code()):
            pass

    def _read_code(self) -> bool:
        """False: more bytes are needed."""
        self._seen = self._seen.lstrip()
        if (found := _CODE.match(self._seen)) is None:
            self._ended = b"\n" in self._seen or len(self._seen) >= _CODE_BYTES
            return False
        code = int(found[1])
        if 100 <= code < 200 and code != _SWITCHING:
            self._in_head = True
        else:
            self.code, self._ended, self._seen = code, True, b""
        return True

    def _skip_head(self) -> bool:
        if (found := _HEAD_END.search(self._seen)) is None:
            self._seen = self._seen[-3:]
            return False
        self._in_head, self._seen = False, self._seen[found.end() :]
        return True


class NoAnswer(Exception):
    """The exchange ended without an answer that aiohttp can read. `status`: the code of its status line, where that came."""

    def __init__(self, problem: Exception, handler: AnswerHandler) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.status = handler.status
        self.peer = handler.peer
        is_closed = isinstance(problem, aiohttp.ClientConnectionError | ConnectionError) and not isinstance(problem, TimeoutError)
        self.is_stale = is_closed and handler.is_stale
        """A reused connection that had ended before the request: the receiver has closed it, and seen nothing of the request."""


class AnswerHandler(ResponseHandler):
    """One connection. `peer`: the receiver's address. `is_malformed`: what came last is no valid HTTP."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.peer: str | None = None
        self._requests = 0
        self._begin()

    def _begin(self) -> None:
        self._line = StatusLine()
        self._asked_at = self._loop.time()
        self._received = 0
        self._has_head = False
        self.is_malformed = False

    @property
    def status(self) -> int | None:
        return self._line.code

    @property
    def is_stale(self) -> bool:
        return self._requests > 1 and not self._received and self._loop.time() - self._asked_at < _STALE_S

    def set_response_params(self, **params: Any) -> None:
        """Called for each request, before it is written."""
        self._requests += 1
        self._begin()
        peer = self.transport.get_extra_info("peername") if self.transport is not None else None
        self.peer = peer[0] if peer else None
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if data and self._has_head and (self._payload is None or self._payload.is_eof()):
            # behind the end of the answer: nobody may take it for the next one
            self.is_malformed = True
            self.force_close()
            if self.transport is not None:
                self.transport.close()
            return
        self._received += len(data)
        self._line.feed(data)
        if not self._has_head and self._received > _HEAD_BYTES:
            self.set_exception(HttpProcessingError(message="the headers are too large"))
            if self.transport is not None:
                self.transport.close()
            return
        super().data_received(data)

    def feed_data(self, data: Any, size: int = 0) -> None:
        message, _ = data
        if message.code >= 200 or message.code == _SWITCHING:
            self._has_head = True
            if message.code in _BODILESS and _announces_body(message.headers):
                self.force_close()
            if message.headers.getall("Transfer-Encoding", ["chunked"]) not in _READABLE_ENCODINGS:
                self.is_malformed = True
                self.force_close()
        super().feed_data(data, size)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        if isinstance(exc, HttpProcessingError):
            self.is_malformed = True
            if self._payload is not None and not self._payload.is_eof():
                # without this, who reads the body would wait for more of it until the time is over
                set_exception(self._payload, aiohttp.ClientPayloadError("the body is malformed"), exc)


def _announces_body(headers: Any) -> bool:
    return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0"


class _Request(aiohttp.ClientRequest):
    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        handler = conn.protocol
        assert isinstance(handler, AnswerHandler)
        try:
            return await super().send(conn)
        except (aiohttp.ClientError, OSError) as problem:
            raise NoAnswer(problem, handler) from problem


class Response(aiohttp.ClientResponse):
    """`handler` stays when the connection is back in the pool."""

    handler: AnswerHandler

    async def start(self, connection: Connection) -> Self:
        """Raises NoAnswer."""
        handler = connection.protocol
        assert isinstance(handler, AnswerHandler)
        self.handler = handler
        try:
            await super().start(connection)
        except (aiohttp.ClientError, OSError) as problem:  # an OSError: TimeoutError, too
            raise NoAnswer(problem, handler) from problem
        return self


class Connector(aiohttp.TCPConnector):
    """Of connections on which bytes behind an answer's end are nobody's answer."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._factory = functools.partial(AnswerHandler, loop=asyncio.get_running_loop())  # type: ignore[assignment]


def session(timeout: aiohttp.ClientTimeout, proxy: URL | None = None, **connector: Any) -> aiohttp.ClientSession:
    """A session whose responses are `Response`, and whose requests raise NoAnswer where one can't be read. Redirects are for the caller
    to refuse; cookies are not kept, proxies of the environment not used. `connector`: settings of aiohttp.TCPConnector."""
    return aiohttp.ClientSession(
        connector=Connector(**connector),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        request_class=_Request,
        response_class=Response,
        auto_decompress=False,  # a small answer must not unfold into a gigabyte
        trust_env=False,
        proxy=proxy,
    )

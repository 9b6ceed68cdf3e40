"""A receiver that answers with bytes, and the ways in which an answer's bytes can be wrong behind a plain status line."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

Packets = tuple[bytes, ...]
"""Written one after the other, each in a packet of its own."""


def _head(*lines: bytes, body: bytes = b"", first: bytes = b"HTTP/1.1 %d Status") -> Packets:
    return (b"\r\n".join([first, *lines, b"", b""]) + body,)


MALFORMED: dict[str, Packets] = {
    "a header of 9,000 bytes": _head(b"X-Long: " + b"x" * 9000, b"Content-Length: 2", body=b"ok"),
    "a header's name of 9,000 bytes": _head(b"x" * 9000 + b": 1", b"Content-Length: 2", body=b"ok"),
    "150 headers": _head(*(b"X-%d: 1" % number for number in range(150)), b"Content-Length: 2", body=b"ok"),
    "endless headers": _head(*(b"X-%d: %s" % (number, b"x" * 1000) for number in range(2000))),
    "the same Content-Length twice": _head(b"Content-Length: 2", b"Content-Length: 2", body=b"ok"),
    "two Content-Lengths": _head(b"Content-Length: 2", b"Content-Length: 3", body=b"ok"),
    "a list as Content-Length": _head(b"Content-Length: 2, 2", body=b"ok"),
    "a negative Content-Length": _head(b"Content-Length: -1", body=b"ok"),
    "a signed Content-Length": _head(b"Content-Length: +2", body=b"ok"),
    "a Content-Length in words": _head(b"Content-Length: two", body=b"ok"),
    "an empty Content-Length": _head(b"Content-Length:", body=b"ok"),
    "a Content-Length of 30 digits": _head(b"Content-Length: " + b"9" * 30, body=b"ok"),
    "Content-Length and Transfer-Encoding": _head(
        b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"
    ),
    "an unknown Transfer-Encoding": _head(b"Transfer-Encoding: rot13", body=b"bx"),
    "chunked, and not at the end": _head(b"Transfer-Encoding: chunked, gzip", body=b"2\r\nok\r\n0\r\n\r\n"),
    "chunked twice": _head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
    "a chunk size that is none": _head(b"Transfer-Encoding: chunked", body=b"zz\r\nok\r\n0\r\n\r\n"),
    "a chunk size that is none, later": (*_head(b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n"), b"zz\r\n"),
    "a chunk size of 30 digits": _head(b"Transfer-Encoding: chunked", body=b"f" * 30 + b"\r\nok\r\n0\r\n\r\n"),
    "a chunk longer than its size": _head(b"Transfer-Encoding: chunked", body=b"2\r\nokay\r\n0\r\n\r\n"),
    "a chunk without its end of line": (*_head(b"Transfer-Encoding: chunked"), b"2\r\nok0\r\n\r\n"),
    "bytes after the body": _head(b"Content-Length: 2", body=b"okGARBAGE\r\n\r\n"),
    "bytes after the body, later": (*_head(b"Content-Length: 2", body=b"ok"), b"GARBAGE\r\n\r\n"),
    "a second answer": _head(b"Content-Length: 2", body=b"okHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
    "a header without a colon": _head(b"this is no header", b"Content-Length: 2", body=b"ok"),
    "a header without a name": _head(b": value", b"Content-Length: 2", body=b"ok"),
    "a blank in a header's name": _head(b"Bad Name: 1", b"Content-Length: 2", body=b"ok"),
    "brackets in a header's name": _head(b"Bad(Name): 1", b"Content-Length: 2", body=b"ok"),
    "bytes beyond ASCII in a header's name": _head(b"X-\xe4\xff: 1", b"Content-Length: 2", body=b"ok"),
    "a NUL in a header": _head(b"X-Nul: a\x00b", b"Content-Length: 2", body=b"ok"),
    "a NUL in a header's name": _head(b"X-N\x00ul: ab", b"Content-Length: 2", body=b"ok"),
    "a lone carriage return in a header": _head(b"X-Cr: a\rb", b"Content-Length: 2", body=b"ok"),
    "a folded first header": _head(b" folded", b"Content-Length: 2", body=b"ok"),
    "a reason of 9,000 bytes": _head(b"Content-Length: 2", body=b"ok", first=b"HTTP/1.1 %d " + b"x" * 9000),
    "HTTP 3.7": _head(b"Content-Length: 2", body=b"ok", first=b"HTTP/3.7 %d OK"),
    "HTTP without a minor version": _head(b"Content-Length: 2", body=b"ok", first=b"HTTP/2 %d OK"),
    "two blanks before the status": _head(b"Content-Length: 2", body=b"ok", first=b"HTTP/1.1  %d OK"),
    "http in small letters": _head(b"Content-Length: 2", body=b"ok", first=b"http/1.1 %d OK"),
    "a body shorter than announced": _head(b"Content-Length: 100", body=b"ok"),
    "a chunked body that breaks off": _head(b"Transfer-Encoding: chunked", body=b"64\r\nok"),
    "headers that break off": (b"HTTP/1.1 %d OK\r\nX-Cut: of",),
    "nothing behind the status": (b"HTTP/1.1 %d ",),
    "no HTTP behind an interim answer": (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 %d OK\r\n: \r\n\r\n"),
}  # fmt: skip
"""By what is wrong. `%d` takes the status. Each is followed by the end of the connection."""

ODD: dict[str, Packets] = {
    "a blank before the colon": _head(b"Content-Length : 2", body=b"ok"),
    "a NUL in the reason": _head(b"Content-Length: 2", body=b"ok", first=b"HTTP/1.1 %d O\x00K"),
    "no reason": _head(b"Content-Length: 2", body=b"ok", first=b"HTTP/1.1 %d"),
    "HTTP 1.0": _head(body=b"ok", first=b"HTTP/1.0 %d OK"),
    "line ends without carriage returns": (b"HTTP/1.1 %d OK\nContent-Length: 2\n\nok",),
    "a folded header": _head(b"X-Folded: a", b" b", b"Content-Length: 2", body=b"ok"),
    "a body that is no gzip": _head(b"Content-Encoding: gzip", b"Content-Length: 2", body=b"ok"),
    "a gzip that breaks off": _head(b"Content-Encoding: gzip", b"Content-Length: 20", body=gzip.compress(b"ok" * 99)[:20]),
    "an unknown encoding": _head(b"Content-Encoding: rot13", b"Content-Length: 2", body=b"bx"),
    "a content type that is none": _head(b"Content-Type: ;;=\xff", b"Content-Length: 2", body=b"ok"),
    "cookies that are none": _head(b"Set-Cookie: ;=;\xff\x00"[:16], b"Set-Cookie: ==", b"Content-Length: 2", body=b"ok"),
    "interim answers": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n", *_head(b"Content-Length: 2", body=b"ok")),
    "a body until the connection ends": _head(body=b"ok"),
}  # fmt: skip
"""Strange, and read all the same."""


def answer_of(kind: str, status: int) -> Packets:
    packets = MALFORMED.get(kind) or ODD[kind]
    return tuple(packet.replace(b"%d", b"%d" % status) for packet in packets)


@dataclass
class RawReceiver:
    """`requests`: the bodies, as they came. `connections`: for each request, the number of its connection."""

    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)


Answering = Callable[[int, asyncio.StreamWriter], object]
"""Writes the answer of the request with this number, from 0. An awaitable that it returns is awaited; True closes the connection."""


@contextlib.asynccontextmanager
async def raw_receiving(answer: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawReceiver]:
    """Answers requests, several on one connection. None is chunked."""
    receiver, opened = RawReceiver(), 0
    writers: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened, connection = opened + 1, opened
        writers.add(writer)
        if (task := asyncio.current_task()) is not None:
            tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                receiver.requests.append(await reader.readexactly(length))
                receiver.connections.append(connection)
                ended = answer(len(receiver.requests) - 1, writer)
                if asyncio.iscoroutine(ended):
                    ended = await ended
                await writer.drain()
                if ended:
                    writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    receiver.url = f"http{'' if tls is None else 's'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()
        for writer in writers:
            writer.close()
        if tasks:
            await asyncio.wait(tasks, timeout=5)


def saying(packets: Packets) -> Answering:
    """Each answer in these packets, and then the end of the connection."""

    async def write(writer: asyncio.StreamWriter) -> bool:
        for packet in packets:
            writer.write(packet)
            await writer.drain()
            await asyncio.sleep(0.005)  # a packet of its own
        return True

    return lambda number, writer: write(writer)

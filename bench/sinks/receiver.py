"""The receivers of the sinks' bench, all in one process: `python -m bench.sinks.receiver` prints its port.

`POST /<name>` is answered 200 at once, `POST /<name>?<seconds>` after so long; each is noted with the clock's time. `GET /<name>` gives
how many came, `GET /<name>?calls` which: a JSON list of [webhook-id, Unix seconds]. It speaks just enough HTTP, since a whole server
would take more of the machine than what is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

import orjson

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_END = b"\r\n\r\n"

Calls = defaultdict[str, list[tuple[str, float]]]


class Connection(asyncio.Protocol):
    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            head = bytes(self._buffer[:end]).decode("latin-1")
            length = int(_header(head, "content-length") or 0)
            if len(self._buffer) < end + len(_END) + length:
                return
            del self._buffer[: end + len(_END) + length]
            self._answer(head)

    def _answer(self, head: str) -> None:
        method, target, _ = head.split(" ", 2)
        path, _, query = target.partition("?")
        if method == "GET":
            calls = self._calls[path]
            body = orjson.dumps(calls if query else len(calls))
            self._write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            return
        self._calls[path].append((_header(head, "webhook-id"), time.time()))
        if query:
            asyncio.get_running_loop().call_later(float(query), self._write, _OK)
        else:
            self._write(_OK)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _header(head: str, name: str) -> str:
    at = head.lower().find(f"\r\n{name}:")
    if at < 0:
        return ""
    begin = at + len(name) + 3
    end = head.find("\r\n", begin)
    return head[begin : end if end >= 0 else len(head)].strip()


async def main() -> None:
    calls: Calls = defaultdict(list)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(calls), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

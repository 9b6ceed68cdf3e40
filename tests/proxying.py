"""A real HTTP proxy on loopback: tunnels by CONNECT, and forwards requests with absolute URLs. It records what it was asked for."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class ProxyServer:
    """`hosts`: where it connects for a name, as `{"api.example": ("127.0.0.1", 8443)}`; other names it answers with 502.
    `credentials`: `user:password` that it wants."""

    hosts: Mapping[str, tuple[str, int]]
    credentials: str | None = None
    url: str = ""
    asked: list[str] = field(default_factory=list)
    refused: int = 0

    @property
    def port(self) -> int:
        return place_of(self.url)[1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            await self._answer(head, reader, writer)
        writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, *headers = head.rstrip("\r\n").split("\r\n")
        method, target, _ = line.split(" ")
        given = {name.lower(): value.strip() for name, _, value in (header.partition(":") for header in headers)}
        self.asked.append(f"{method} {target}")
        if self.credentials is not None:
            wanted = "Basic " + base64.b64encode(self.credentials.encode()).decode()
            if given.get("proxy-authorization") != wanted:
                self.refused += 1
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                return
        host = urlsplit(target).hostname if "://" in target else target.rpartition(":")[0].strip("[]")
        if host not in self.hosts:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        upstream, outgoing = await asyncio.open_connection(*self.hosts[host])
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            parts = urlsplit(target)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            kept = [header for header in headers if not header.lower().startswith("proxy-")]
            outgoing.write("\r\n".join([f"{method} {path or '/'} HTTP/1.1", *kept, "", ""]).encode("latin-1"))
        await asyncio.gather(_pump(reader, outgoing), _pump(upstream, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def proxying(
    hosts: Mapping[str, tuple[str, int]], credentials: str | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ProxyServer]:
    proxy = ProxyServer(hosts, credentials)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    proxy.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()


def place_of(url: str) -> tuple[str, int]:
    """Host and port, for `hosts`."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port

"""A DNS server on loopback that says what a test wants of each name."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

_A = 1
_CODES = {"SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}

Answer = Literal["hang", "SERVFAIL", "NXDOMAIN", "REFUSED"]


@dataclass
class Nameserver(asyncio.DatagramProtocol):
    """`answers`: of each name an IPv4 address or how it fails; a name that is missing is NXDOMAIN. `silent_ipv6`: AAAA is never
    answered. `asked`: the names, one for each query."""

    answers: dict[str, Answer | str] = field(default_factory=dict)
    silent_ipv6: bool = False
    asked: list[str] = field(default_factory=list)
    address: str = ""
    _transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # a selector loop's is no asyncio.DatagramTransport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        name, kind, end = _question(data)
        self.asked.append(name)
        answer = self.answers.get(name, "NXDOMAIN")
        if answer == "hang" or (self.silent_ipv6 and kind != _A):
            return
        code = _CODES.get(answer, 0)
        found = b""
        if not code and kind == _A:
            found = b"\xc0\x0c" + struct.pack(">HHIH", _A, 1, 0, 4) + socket.inet_aton(answer)
        head = data[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, bool(found), 0, 0)
        self._transport.sendto(head + data[12:end] + found, sender)


@contextlib.asynccontextmanager
async def naming(answers: dict[str, Answer | str], *, silent_ipv6: bool = False) -> AsyncIterator[Nameserver]:
    loop = asyncio.get_running_loop()
    server = Nameserver(answers, silent_ipv6)
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    server.address = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    try:
        yield server
    finally:
        transport.close()


def _question(data: bytes) -> tuple[str, int, int]:
    """Its name and type, and where it ends."""
    labels, at = [], 12
    while size := data[at]:
        labels.append(data[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels).lower(), struct.unpack(">H", data[at + 1 : at + 3])[0], at + 5

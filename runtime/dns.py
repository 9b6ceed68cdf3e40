"""Host name look-ups that share no bound: each name has its own time-out, and a name that hangs delays no other.

    localhost, IP literals         answered here
    *.local (mDNS, RFC 6762)       the system
    /etc/hosts                     before DNS, as the system does
    everything else                DNS, asynchronously: any number of names at once
        found                      kept as the last good answer
        time-out, SERVFAIL         the last good answer, up to an hour old
        anything else              the system: mDNS, containers, whatever nsswitch.conf names

The system's getaddrinfo blocks a thread for as long as it likes. It runs in a small pool of its own, at most one thread a name, so that
it can hold up only names that DNS doesn't know, and nothing else in the process (asyncio's default pool also resolves Kafka's brokers).

Nothing here decides where a connection may go: that is checked at connect time, on the address itself (sinks/guard.py).
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import aiodns
import pycares
from aiohttp.abc import AbstractResolver, ResolveResult

from runtime.clock import Clock, SystemClock
from runtime.descriptors import OutOfDescriptors, exhausted
from runtime.hosts_file import HostsFile

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 5.0
_QUERY_TIMEOUT_S = 1.0
"""Until a query is sent again, then twice that: a lost datagram costs a second, not the whole bound."""
_QUERY_TRIES = 5
"""c-ares shortens the first time-out to 0.25 s for a server that answers fast: so the tries last longer than the bound, which ends them."""
_OTHER_FAMILY_S = 0.3
"""Once IPv4 or IPv6 addresses are known, how long the other family is waited for: some name servers never answer AAAA."""
_STALE_S = 3600.0
"""Age up to which the last good answer is served while DNS doesn't answer: an hour of its outage harms no delivery, and a receiver that
moved is not missed for longer."""
_SYSTEM_THREADS = 4
_UNANSWERED = frozenset({pycares.errno.ARES_ETIMEOUT, pycares.errno.ARES_ESERVFAIL})
_NO_SUCH_NAME = "not found"

_Address = tuple[socket.AddressFamily, str]
_LOCALHOST: Sequence[_Address] = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class LookupFailed(OSError):
    """A host name has no address now. `strerror`: why, in plain words."""

    def __init__(self, reason: str) -> None:
        super().__init__(None, reason)


class _Unanswered(Exception):
    """DNS has not answered, or has answered SERVFAIL: the name may well exist. The message says which."""


@dataclass(frozen=True, slots=True)
class _Good:
    addresses: Sequence[_Address]
    at: float


class Resolver(AbstractResolver):
    """For aiohttp's TCPConnector, which asks once at a time for each host and caches the answer.

    `timeout_s`: for one name as a whole; a change of it is in effect from the next look-up on. `nameservers`: addresses, with `:port`
    where it isn't 53; the system's by default, re-read when /etc/resolv.conf changes."""

    def __init__(self, timeout_s: float = DEFAULT_TIMEOUT_S, nameservers: Sequence[str] = (), clock: Clock | None = None) -> None:
        self.timeout_s = timeout_s
        self._nameservers = list(nameservers)
        self._clock = clock or SystemClock()
        self._dns: aiodns.DNSResolver | None = None
        self._hosts_file = HostsFile()
        self._pool = ThreadPoolExecutor(_SYSTEM_THREADS, thread_name_prefix="getaddrinfo")
        self._asked: dict[str, asyncio.Future[Sequence[_Address]]] = {}
        self._good: dict[str, _Good] = {}
        self._stale: set[str] = set()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Raises LookupFailed, OutOfDescriptors."""
        found = [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in await self._addresses(host.rstrip(".").lower())
            if family in (socket.AF_UNSPEC, kind)
        ]
        if not found:
            raise LookupFailed(_NO_SUCH_NAME)
        return found

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._dns is not None:
            await self._dns.close()

    async def _addresses(self, name: str) -> Sequence[_Address]:
        if (fixed := _without_look_up(name)) is not None:
            return fixed
        try:
            async with asyncio.timeout(self.timeout_s):
                addresses = await self._look_up(name)
        except (TimeoutError, _Unanswered, LookupFailed) as problem:
            if exhausted():
                raise OutOfDescriptors(errno.EMFILE, os.strerror(errno.EMFILE)) from problem
            if isinstance(problem, LookupFailed):
                self._good.pop(name, None)
                raise
            reason = str(problem) or f"no answer from DNS within {self.timeout_s:g} s"
            return self._last_good(name, reason)
        self._good[name] = _Good(addresses, self._clock.monotonic())
        self._stale.discard(name)
        return addresses

    def _last_good(self, name: str, reason: str) -> Sequence[_Address]:
        good = self._good.get(name)
        if good is None or self._clock.monotonic() - good.at > _STALE_S:
            raise LookupFailed(reason)
        if name not in self._stale:
            self._stale.add(name)
            log.warning("%s: %s; using its last known address for up to an hour", name, reason)
        return good.addresses

    async def _look_up(self, name: str) -> Sequence[_Address]:
        """Raises _Unanswered, LookupFailed."""
        if name.endswith(".local"):
            return await self._ask_system(name)
        if addresses := self._hosts_file.addresses(name):
            return addresses
        answers = await self._ask_dns(name)
        if found := [address for answer in answers if isinstance(answer, list) for address in answer]:
            return found
        codes = {answer for answer in answers if isinstance(answer, int)}
        if pycares.errno.ARES_ENOTFOUND not in codes and codes & _UNANSWERED:
            raise _Unanswered("DNS answers SERVFAIL" if pycares.errno.ARES_ESERVFAIL in codes else "DNS does not answer")
        return await self._ask_system(name)

    async def _ask_dns(self, name: str) -> list[list[_Address] | int]:
        """Of each family its addresses, or c-ares' error. IPv4 first: a connection to an IPv6 address that leads nowhere would cost
        a quarter of a second each time."""
        if self._dns is None:
            servers = self._nameservers or None
            # without `lookups`, which pycares 5.2 hands over in memory that it has freed: such a channel may ask nobody
            self._dns = _channel(servers, timeout=_QUERY_TIMEOUT_S, tries=_QUERY_TRIES)
        asked = [asyncio.ensure_future(_ask(self._dns, name, family)) for family in (socket.AF_INET, socket.AF_INET6)]
        try:
            done, late = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            if late:
                found = any(isinstance(one.result(), list) for one in done)
                await asyncio.wait(asked, timeout=_OTHER_FAMILY_S if found else None)
            return [one.result() for one in asked if one.done()]
        finally:
            for one in asked:
                one.cancel()

    async def _ask_system(self, name: str) -> Sequence[_Address]:
        """A name whose last look-up still holds its thread waits for that one."""
        if (asked := self._asked.get(name)) is None:
            asked = self._asked[name] = asyncio.get_running_loop().run_in_executor(self._pool, _getaddrinfo, name)
            asked.add_done_callback(lambda ended: self._ended(name, ended))
        return await asyncio.shield(asked)

    def _ended(self, name: str, asked: asyncio.Future[Sequence[_Address]]) -> None:
        del self._asked[name]
        if not asked.cancelled():
            asked.exception()  # raised to who waits, if anybody still does


def _without_look_up(name: str) -> Sequence[_Address] | None:
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
        return _LOCALHOST
    try:
        ip = ipaddress.ip_address(name)
    except ValueError:
        return None
    return ((socket.AF_INET if ip.version == 4 else socket.AF_INET6, str(ip)),)


def _channel(nameservers: Sequence[str] | None = None, **options: Any) -> aiodns.DNSResolver:
    """Raises LookupFailed."""
    try:
        return aiodns.DNSResolver(nameservers, **options)
    except pycares.AresError as problem:
        raise LookupFailed("the resolver can't be started") from problem


async def _ask(dns: aiodns.DNSResolver, name: str, family: socket.AddressFamily) -> list[_Address] | int:
    try:
        answer = await dns.getaddrinfo(name, family, type=socket.SOCK_STREAM)
    except aiodns.error.DNSError as problem:
        return int(problem.args[0])
    # an answer may be CNAMEs alone
    return [(socket.AddressFamily(node.family), node.addr[0].decode()) for node in answer.nodes] or int(
        pycares.errno.ARES_ENODATA
    )


def _getaddrinfo(name: str) -> Sequence[_Address]:
    """In a thread of the pool. Raises _Unanswered, LookupFailed."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except socket.gaierror as problem:
        if problem.errno == socket.EAI_AGAIN:
            raise _Unanswered("no answer from DNS") from problem
        raise LookupFailed(_NO_SUCH_NAME) from problem
    except UnicodeError as problem:
        raise LookupFailed("not a host name") from problem
    except OSError as problem:
        raise LookupFailed(problem.strerror or _NO_SUCH_NAME) from problem
    return [(socket.AddressFamily(family), str(target[0])) for family, _, _, _, target in found]

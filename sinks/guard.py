"""The address guard: which addresses a webhook may reach. Checked at the moment of each connection, on the very address
that is connected to, so no DNS answer that changes in between gets past it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
AddrInfo = tuple[Any, Any, int, str, tuple[Any, ...]]


def _blocks(*blocks: tuple[str, str]) -> list[tuple[Network, str]]:
    return [(ipaddress.ip_network(block), reason) for block, reason in blocks]


_REFUSED: Sequence[tuple[Network, str]] = _blocks(
    # the addresses at which clouds answer with credentials
    ("169.254.169.254/32", "a cloud's metadata service"),
    ("169.254.170.0/24", "a cloud's metadata service"),
    ("100.100.100.200/32", "a cloud's metadata service"),
    ("168.63.129.16/32", "a cloud's metadata service"),
    ("192.0.0.192/32", "a cloud's metadata service"),
    ("fd00:ec2::/32", "a cloud's metadata service"),
    ("fd20:ce::254/128", "a cloud's metadata service"),
    # IANA's special-purpose registries (RFC 6890 and its updates)
    ("0.0.0.0/8", "this host"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by a carrier (CGNAT)"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "for documentation"),
    ("192.31.196.0/24", "reserved"),
    ("192.52.193.0/24", "reserved"),
    ("192.88.99.0/24", "a 6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "reserved"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", "for documentation"),
    ("203.0.113.0/24", "for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "this host"),
    ("::1/128", "loopback"),
    ("100::/64", "reserved"),
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "for documentation"),
    ("3fff::/20", "for documentation"),
    ("5f00::/16", "reserved"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "private"),
    ("ff00::/8", "multicast"),
)

_MAPPED = "IPv4-mapped"
_CARRIERS: Sequence[tuple[ipaddress.IPv6Network, str, Callable[[int], int]]] = (
    # IPv6 forms that lead to an IPv4 address which stands inside them
    (ipaddress.IPv6Network("::ffff:0:0/96"), _MAPPED, lambda ip: ip & 0xFFFFFFFF),
    (ipaddress.IPv6Network("::/96"), "IPv4-compatible", lambda ip: ip & 0xFFFFFFFF),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), "IPv4-translated", lambda ip: ip & 0xFFFFFFFF),
    (ipaddress.IPv6Network("64:ff9b::/96"), "NAT64", lambda ip: ip & 0xFFFFFFFF),
    (ipaddress.IPv6Network("64:ff9b:1::/48"), "NAT64", lambda ip: ip & 0xFFFFFFFF),
    (ipaddress.IPv6Network("2002::/16"), "6to4", lambda ip: (ip >> 80) & 0xFFFFFFFF),
    (ipaddress.IPv6Network("2001::/32"), "Teredo", lambda ip: (ip & 0xFFFFFFFF) ^ 0xFFFFFFFF),
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
"""All global unicast that IANA has given out so far."""
_ALL_ZERO = ipaddress.IPv6Address("::")
_ONE = ipaddress.IPv6Address("::1")


class AddressRefused(OSError):
    """A webhook's host leads to an address that it may not reach. An OSError, as the connecting code expects."""


def refused(ip: Ip, allow: Sequence[Network] = ()) -> str | None:
    """Why a webhook may not reach this address; None when it may. A network in `allow` lifts the refusal of what it holds,
    for an IPv4 address also in its IPv6 disguises."""
    if _within(ip, allow):
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip not in (_ALL_ZERO, _ONE):
        for network, form, inner in _CARRIERS:
            if ip in network:
                return _disguised(form, ipaddress.IPv4Address(inner(int(ip))), allow)
    return _listed(ip)


def _disguised(form: str, carried: ipaddress.IPv4Address, allow: Sequence[Network]) -> str | None:
    """No receiver has its address in such a form, so it is refused whatever it hides; a mapped one is the IPv4 address itself."""
    if _within(carried, allow):
        return None
    reason = _listed(carried)
    if reason is None and form == _MAPPED:
        return None
    return f"{form}, for {carried}" + (f" ({reason})" if reason else "")


def _listed(ip: Ip) -> str | None:
    for network, reason in _REFUSED:
        if ip in network:
            return reason
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL_V6:
        return "not a public address"
    return None


def _within(ip: Ip, allow: Sequence[Network]) -> bool:
    return any(ip in network for network in allow)


def check(address: str, allow: Sequence[Network]) -> None:
    """Raises AddressRefused that names the remedy. `address` may carry an IPv6 zone."""
    plain = address.split("%", 1)[0]
    ip = ipaddress.ip_address(plain)
    if (reason := refused(ip, allow)) is not None:
        raise AddressRefused(f"address {plain} is {reason}: add it to network.allow to let webhooks reach it")


def guarded_socket(allow: Sequence[Network]) -> Callable[[AddrInfo], socket.socket]:
    """A socket factory for aiohttp's TCPConnector, which calls it with each address right before it connects to that address."""

    def make(info: AddrInfo) -> socket.socket:
        family, kind, protocol, _, target = info
        check(str(target[0]), allow)
        return socket.socket(family=family, type=kind, proto=protocol)

    return make

"""Who may ask a server that listens on loopback: programs on this machine, and no page of the web by way of a browser.

A page can have its own name resolve to 127.0.0.1 (DNS rebinding), and any page can send requests there. The first gives itself away by
`Host`, the second by `Origin`, and neither can be changed by the page. A server on another address is meant for others: it is left open.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_LOCALHOST = "localhost"
"""RFC 6761, 6.3: always this machine; no name server is asked for it, nor for what ends with it."""


def is_loopback(host: str) -> bool:
    """Whether a host's name or address, without a port, can only mean this machine."""
    name = host.strip("[]").rstrip(".").lower()
    if name == _LOCALHOST or name.endswith(f".{_LOCALHOST}"):
        return True
    try:
        ip = ipaddress.ip_address(name.split("%", 1)[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def refusal(host: str | None, origin: str | None) -> str | None:
    """Why a request with these headers is not answered; None where it may be. HTTP/1.0 clients send no Host, and browsers always do."""
    if host is not None and not is_loopback(_name_of(f"//{host}")):
        return f"this server answers only as localhost or 127.0.0.1, not as {host!r}"
    if origin is not None and not is_loopback(_name_of(origin)):
        return f"this server answers no pages of {origin!r}"
    return None


def loopback_only(listens_on: str) -> list[Middleware]:
    """The middleware of a server that listens on this host: one that refuses, or none where it is no loopback."""
    return [_refusing] if is_loopback(listens_on) else []


@web.middleware
async def _refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
    reason = refusal(request.headers.get("Host"), request.headers.get("Origin"))
    return await handler(request) if reason is None else web.Response(status=403, text=f"{reason}\n")


def _name_of(address: str) -> str:
    """ "" for what is no address, as `null`, the origin of a page in a sandboxed frame."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""

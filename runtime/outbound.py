"""How our HTTP clients reach other machines: which CAs they trust, and through which proxy. One policy for providers, webhooks, downloads.

    trust     the system's CAs, certifi's where the system has none, and those of `network.ca_file` beside them
    proxy     `network.proxy`, else HTTPS_PROXY, HTTP_PROXY, ALL_PROXY; never to loopback, nor to what NO_PROXY names

Webhooks use none of these proxies: the address guard checks where a webhook goes, and a proxy would go there in its place. They have a
setting of their own, `delivery.proxy` (sinks/client.py).
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]  # not in typeshed

import certifi
import httpx
from yarl import URL

from schemas import redaction
from schemas.config import Network
from schemas.config.connections import ClientCertificate

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Proxy:
    """`url` is without the credentials, which may be shown nowhere."""

    url: str
    user: str | None = None
    password: str = ""

    @classmethod
    def of(cls, address: str) -> Self:
        """Of `http://user:password@host:port`. Raises ValueError for another scheme, or no host."""
        parts = urlsplit(address if "://" in address else f"http://{address}")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("not the address of an HTTP proxy")
        _, _, host = parts.netloc.rpartition("@")
        user = None if parts.username is None else unquote(parts.username)
        password = unquote(parts.password or "")
        redaction.learn([redaction.Secret(password, user or "")])
        return cls(urlunsplit((parts.scheme, host, "", "", "")), user, password)

    def for_httpx(self) -> httpx.Proxy:
        return httpx.Proxy(self.url, auth=None if self.user is None else (self.user, self.password))

    def for_aiohttp(self) -> URL:
        """With the credentials: aiohttp sends `proxy_headers` by CONNECT alone."""
        return URL(self.url) if self.user is None else URL(self.url).with_user(self.user).with_password(self.password)

    def __repr__(self) -> str:
        return f"Proxy({self.url!r})"


class Outbound:
    """`ca`: certificates in PEM, trusted beside the system's. `proxy`: instead of the environment's. `environ`: the proxies by scheme,
    `no` among them, as urllib names them; the process's by default."""

    def __init__(self, ca: str | None = None, proxy: str | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._ca = ca
        self._proxy = None if proxy is None else Proxy.of(proxy)
        self._environ = getproxies_environment() if environ is None else environ

    @classmethod
    def of(cls, network: Network) -> Self:
        return cls(network.ca, None if network.proxy is None else network.proxy.get_secret_value())

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """Shared by the clients of a policy: to load a system's CAs takes some ten milliseconds."""
        return self._new_ssl_context()

    def ssl_context_with(self, certificate: ClientCertificate) -> ssl.SSLContext:
        """For connections that show this certificate."""
        context = self._new_ssl_context()
        certificate.load_into(context)
        return context

    def _new_ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=None if _system_has_cas() else certifi.where())
        context.set_alpn_protocols(["http/1.1"])
        if self._ca is not None:
            context.load_verify_locations(cadata=self._ca)
        return context

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy for this address; None: none."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        if is_loopback(host) or self._excluded(host, parts.port):
            return None
        if self._proxy is not None:
            return self._proxy
        address = self._environ.get(parts.scheme) or self._environ.get("all")
        if not address:
            return None
        try:
            return Proxy.of(address)
        except ValueError:
            log.warning("the proxy of the environment is not used: its address is not http:// or https:// and a host")
            return None

    def _excluded(self, host: str, port: int | None) -> bool:
        """Whether NO_PROXY names the host: by its name, a domain above it, its address, or a CIDR block around that."""
        named = f"{host}:{port}" if port is not None and ":" not in host else host
        if proxy_bypass_environment(named, dict(self._environ)):
            return True
        address = written_address(host)
        return address is not None and any(_holds(entry.strip(), address) for entry in self._environ.get("no", "").split(","))


def is_loopback(host: str) -> bool:
    """By the name alone: nothing is looked up."""
    name = host.rstrip(".").lower()
    if (address := written_address(name)) is None:
        return name == "localhost" or name.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified


def written_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a URL's host is, in any of the forms that a system's resolver takes (`127.1`, `0x7f000001`). None: a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return "/" in entry and address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _system_has_cas() -> bool:
    """As OpenSSL looks for them, SSL_CERT_FILE and SSL_CERT_DIR included. Python from python.org on macOS has none."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile is not None or (paths.capath is not None and any(Path(paths.capath).iterdir()))

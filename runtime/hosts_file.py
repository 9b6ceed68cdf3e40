"""/etc/hosts, by name. c-ares can read it too, but then asks DNS for the family that the file lacks, and pycares' way to have it read the
file alone hands c-ares memory that is freed already."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

Address = tuple[socket.AddressFamily, str]

_MAX_BYTES = 4 * 1024 * 1024
"""Lists of blocked hosts come to a few megabytes."""


class HostsFile:
    """Read again when the file has changed. One that can't be read is empty, as it is for the system."""

    def __init__(self, path: Path = Path("/etc/hosts")) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._names: dict[str, list[Address]] = {}

    def addresses(self, name: str) -> Sequence[Address]:
        """All that the file has for a name, in its order; IPv4 alone means that there is no IPv6 address."""
        try:
            found = self._path.stat()
            if (version := (found.st_mtime_ns, found.st_size)) != self._version:
                self._names, self._version = parse(self._path.read_bytes()[:_MAX_BYTES]), version
        except OSError:
            self._names, self._version = {}, None
        return self._names.get(name, ())


def parse(text: bytes) -> dict[str, list[Address]]:
    """`address name alias…` lines; what stands behind `#`, and a line that is none, is passed over (hosts(5))."""
    names: dict[str, list[Address]] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        address, *aliases = line.partition("#")[0].split() or [""]
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            continue
        family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
        for alias in aliases:
            known = names.setdefault(alias.rstrip(".").lower(), [])
            if (family, str(ip)) not in known:
                known.append((family, str(ip)))
    return names

"""TLS for tests: a CA of their own, servers whose certificates it signs, and client certificates."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """A CA. `ca_file` is what an operator would name in `network.ca_file`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    @property
    def pem(self) -> str:
        return self.ca_file.read_text()

    def server(self, *names: str, client_ca: Authority | None = None) -> ssl.SSLContext:
        """For a server with these names. `client_ca`: clients must have a certificate of it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            client_ca._ca.configure_trust(context)
        return context

    def client(self, name: str) -> tuple[Path, Path]:
        """The files of a client's certificate with its chain, and of its key."""
        issued = self._ca.issue_cert(f"{name}@example.org", common_name=name)
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
        return certificate, key

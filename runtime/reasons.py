"""Why a connection or a request failed, in plain words of our own.

Never a library's text: aiohttp puts the URL into some of its messages, and OpenSSL's and Kafka's change with every version. What
remains of an error that is not known here is its class.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator

import aiohttp

from runtime.dns import LookupFailed

_REMEDY = " (network.ca_file adds CAs to those of the system)"
_CERTIFICATE = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed",
    19: f"has a self-signed one in its chain{_REMEDY}",
    20: f"has an unknown issuer{_REMEDY}",
    21: f"has an unknown issuer{_REMEDY}",
    23: "was revoked",
    26: "is not made for servers",
    62: "is for another host name",
    64: "is for another address",
}
"""By OpenSSL's verify codes (X509_V_ERR_…)."""
_NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)
_DEPTH = 8


def reason_of(error: BaseException) -> str:
    """`connection refused`, `the certificate has expired`; of an error that wraps another, the innermost that says why.

    >>> reason_of(ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 443)"))
    'connection refused'
    """
    reasons = [reason for one in _inward(error) if (reason := _known(one)) is not None]
    return reasons[-1] if reasons else type(error).__name__


def _inward(error: BaseException) -> Iterator[BaseException]:
    inner: BaseException | None = error
    for _ in range(_DEPTH):
        if inner is None:
            return
        yield inner
        if isinstance(inner, LookupFailed):
            return
        if isinstance(inner, aiohttp.ClientConnectorCertificateError):
            inner = inner.certificate_error
        elif isinstance(inner, aiohttp.ClientConnectorError):
            inner = inner.os_error
        else:
            inner = inner.__cause__


def _known(error: BaseException) -> str | None:  # noqa: PLR0911, PLR0912 - one answer a kind
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ClientConnectorCertificateError():
            return None  # of some it is their own class too; what they wrap says more
        case ssl.SSLCertVerificationError():
            return f"the certificate {_CERTIFICATE.get(error.verify_code, f'is not trusted (OpenSSL code {error.verify_code})')}"
        case ssl.SSLError():
            if error.reason in _NOT_TLS:
                return "the server does not speak TLS here"
            return f"the TLS handshake failed ({error.reason})" if error.reason else "the TLS connection failed"
        case LookupFailed():
            return f"the host name has no address ({error.strerror})"
        case socket.gaierror():
            return "the host name has no address"
        case TimeoutError():
            return "timed out"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "the answer ended before its body did"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered with status {error.status}"
        case aiohttp.ClientResponseError():
            return "the answer is not HTTP"
        case aiohttp.InvalidURL():
            return "the URL can't be used"
        case OSError(errno=int(number)) if number in errno.errorcode:
            return os.strerror(number).lower()
        case ConnectionError():
            return "connection lost"
    return None

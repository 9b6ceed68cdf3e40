"""What each receiver answers. Pure: the same call of the same delivery has the same answer, but for those that go by time or count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from tests.raw_answers import MALFORMED, ODD, answer_of

TRAP = "/trap"
"""Where redirects lead. Nothing may ever come here."""
RETRY_AFTER_S = 2
_AWAY_S, _AWAY_EVERY_S = 6.0, 25.0
SINGLE_S = 0.05
"""How long the receiver of one call at a time takes for its answer."""
_KINDS = (*MALFORMED, *ODD)
_ABSURD = (
    b"Fri, 31 Dec 99999999999999999999 23:59:59 GMT",
    b"Mon, 01 Jan 2147483648 00:00:00 GMT",
    b"Fri, 31 Dec 9999 23:59:59 -0500",
    b"Fri, 31 Dec 2027 23:59:59 +999999",
    b"9" * 400,
    b"-1",
    b"1e309",
    b"\xff\xfe\x80",
)
"""As Retry-After and Date."""


@dataclass(frozen=True)
class Call:
    """`number`: which call of this delivery, `among`: which of this receiver, from 1. `at`: seconds since the receiver's start.
    `calm`: the run comes to its end."""

    webhook_id: str
    number: int
    among: int
    at: float
    calm: bool

    def falls(self, share: float, of: str = "") -> bool:
        """Whether this call is among so many of all. `of`: each delivery alike, whichever its call."""
        text = f"{self.webhook_id} {of or self.number}"
        return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) / 2**32 < share


@dataclass(frozen=True)
class Reply:
    """`status` None: never answered. `drips`: the body comes a byte at a time. `endless`: it does not end. `echoes`: it is the request,
    with its headers. `packets`: the bytes of the answer instead, then the end of the connection. `after_s`: when the answer comes."""

    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drips: bool = False
    endless: bool = False
    echoes: bool = False
    packets: tuple[bytes, ...] = ()
    after_s: float = 0.0

    @property
    def received(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


_FINE = Reply()


def _fine(call: Call) -> Reply:
    return _FINE


def _moody(call: Call) -> Reply:
    return Reply(500) if call.falls(0.02, of="always") or call.falls(0.15) else _FINE


def _hanging(call: Call) -> Reply:
    return Reply(None) if call.falls(0.03) else _FINE


def _moved(call: Call) -> Reply:
    status = (301, 302, 302, 303, 307, 308)[call.among % 6]
    return Reply(status, {"Location": TRAP}) if call.falls(0.1) else _FINE


def _throttled(call: Call) -> Reply:
    return Reply(429, {"Retry-After": str(RETRY_AFTER_S)}) if call.falls(0.1) else _FINE


def _dripping(call: Call) -> Reply:
    return Reply(drips=True)


def _away(call: Call) -> Reply:
    """Long enough that the breaker opens and the subscription lags behind."""
    return Reply(503) if call.at % _AWAY_EVERY_S > _AWAY_EVERY_S - _AWAY_S and not call.calm else _FINE


def _malformed(call: Call) -> Reply:
    """The status line is plain; what is behind it is not."""
    if not call.falls(0.25):
        return _closing(call)
    status = (200, 201, 202, 500, 503)[call.among % 5]
    kind = _KINDS[call.among % len(_KINDS)]
    return Reply(status, packets=answer_of(kind, status))


def _closing(call: Call) -> Reply:
    """Now and then the connection, which is idle then, is closed right behind the answer."""
    closed = Reply(200, packets=(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",))
    return closed if call.falls(0.2, of="closing") else _FINE


def _absurd(call: Call) -> Reply:
    """Wherever a time can stand, there is none, or one that can't be."""
    if not call.falls(0.1):
        return _FINE
    status = (200, 429, 503)[call.among % 3]
    later, date = _ABSURD[call.among % len(_ABSURD)], _ABSURD[call.among // 3 % len(_ABSURD)]
    head = b"HTTP/1.1 %d Status\r\nRetry-After: %s\r\nDate: %s\r\nContent-Length: 0\r\n\r\n" % (status, later, date)
    return Reply(status, packets=(head,))


def _endless(call: Call) -> Reply:
    return Reply(endless=True) if call.falls(0.1) else _FINE


def _echoing(call: Call) -> Reply:
    return Reply(500 if call.falls(0.1) else 200, echoes=True)


def _single(call: Call) -> Reply:
    return Reply(after_s=SINGLE_S)


def behaviours(gone_after: int) -> dict[str, Callable[[Call], Reply]]:
    """By the receiver's name."""

    def gone(call: Call) -> Reply:
        return Reply(410) if call.among > gone_after and not call.calm else _FINE

    return {
        "steady": _fine,
        "picky": _fine,
        "moody": _moody,
        "hanging": _hanging,
        "moved": _moved,
        "throttled": _throttled,
        "dripping": _dripping,
        "away": _away,
        "gone": gone,
        "malformed": _malformed,
        "absurd": _absurd,
        "endless": _endless,
        "echoing": _echoing,
        "paced": _fine,
        "single": _single,
        "named": _fine,
        "lost": _fine,
    }

"""What each receiver answers. Pure: the same call of the same delivery has the same answer, but for those that go by time or count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

TRAP = "/trap"
"""Where redirects lead. Nothing may ever come here."""
RETRY_AFTER_S = 2
_AWAY_S, _AWAY_EVERY_S = 6.0, 25.0


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
    """`status` None: never answered. `drips`: the body comes a byte at a time."""

    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drips: bool = False

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
    }

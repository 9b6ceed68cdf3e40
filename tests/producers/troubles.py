"""The kinds of trouble that a provider can be in, as the sandbox shows them, and what each is to those who ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from changecast.sandbox import Fault
from changecast.sandbox.faults import Faults
from runtime.clock import ManualClock
from runtime.http import BadResponse, CredentialsRejected, ProviderError, ProviderUnavailable

TIMEOUT_S = 1.0
MAX_BODY_BYTES = 100_000
RETRY_AFTER_S = 3

NOWHERE = "http://" + ".".join(["no-such-host-" + "x" * 40] * 5)
"""Longer than a name can be: the resolver refuses it by itself, as it does a name that nobody knows, and sends nothing anywhere."""


@dataclass(frozen=True)
class Trouble:
    """`fault`: what the sandbox does; `means`: what a request raises while it lasts."""

    means: type[ProviderError]
    fault: dict[str, Any] = field(default_factory=dict)

    def of(self, provider: str, times: int | None = None) -> Fault:
        return Fault(f"* /{provider}/*", times=times, **self.fault)


_HTML = {"body": "<html><body>Bad Gateway</body></html>", "content_type": "text/html"}

TROUBLES = {
    "connections are reset": Trouble(ProviderUnavailable, {"reset": True}),
    "no answer comes": Trouble(ProviderUnavailable, {"delay": 30.0}),
    "a byte comes each second": Trouble(ProviderUnavailable, {"status": 200, "body": '{"results": []}' * 10, "drip": 1.0}),
    "status 500": Trouble(ProviderUnavailable, {"status": 500}),
    "a web page with status 502": Trouble(ProviderUnavailable, {"status": 502, **_HTML}),
    "status 429": Trouble(ProviderUnavailable, {"status": 429}),
    "status 429 with a time": Trouble(ProviderUnavailable, {"status": 429, "retry_after": str(RETRY_AFTER_S)}),
    "a web page with status 200": Trouble(BadResponse, {"status": 200, **_HTML}),
    "half a document": Trouble(BadResponse, {"status": 200, "body": '{"results": [{"id": 5'}),
    "other types than documented": Trouble(BadResponse, {"status": 200, "body": '{"data": 7, "results": "none", "changes": {}}'}),
    "a huge body": Trouble(BadResponse, {"status": 200, "body": " " * 3 * MAX_BODY_BYTES}),
    "a redirect": Trouble(BadResponse, {"status": 302, "headers": {"Location": "https://elsewhere.example/"}}),
    "the key is refused": Trouble(CredentialsRejected, {"status": 401, "body": '{"status_code": 7, "success": false}'}),
}


class FailsFor(Faults):
    """Every request fails until the clock has gone on by so many seconds. `times`: when each came."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        super().__init__()
        self._clock, self._until = clock, clock.monotonic() + seconds
        self.times: list[float] = []

    def take(self, method: str, path: str) -> Fault | None:
        if self._clock.monotonic() >= self._until:
            return None
        self.times.append(self._clock.monotonic())
        return Fault("*", status=500)

"""What was asked of the sandbox: counts by provider, route and status, and the peak rate."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SECONDS_KEPT = 600
"""Seconds of the per-second counts that are kept: enough for the longest test run that looks at rates."""

REQUESTS_KEPT = 5000
"""Single requests that are kept, newest last."""


@dataclass(frozen=True)
class Asked:
    """One request. `route` is the pattern that it matched, `path` what was asked, with its query."""

    time: float
    provider: str
    method: str
    route: str
    path: str
    status: int


class Traffic:
    """Counts of requests. A "provider" here is the first part of the path: tmdb, pbs, tvdb, slack, webhook, images."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._routes: Counter[tuple[str, str, int]] = Counter()
        self._seconds: dict[str, deque[tuple[int, int]]] = defaultdict(lambda: deque(maxlen=SECONDS_KEPT))
        self._last_second: dict[str, deque[float]] = defaultdict(deque)
        self._peaks: Counter[str] = Counter()
        self.recent: deque[Asked] = deque(maxlen=REQUESTS_KEPT)

    def came(self, provider: str) -> None:
        """A request has come in: this is what rates are measured by."""
        now = self._monotonic()
        seconds = self._seconds[provider]
        count = seconds.pop()[1] + 1 if seconds and seconds[-1][0] == int(now) else 1
        seconds.append((int(now), count))
        last = self._last_second[provider]
        last.append(now)
        while last[0] <= now - 1:
            last.popleft()
        self._peaks[provider] = max(self._peaks[provider], len(last))

    def answered(self, asked: Asked) -> None:
        self._routes[asked.provider, f"{asked.method} {asked.route}", asked.status] += 1
        self.recent.append(asked)

    def count(self, provider: str | None = None, route: str = "", status: int | None = None) -> int:
        """Requests answered so far, of this provider (None: of any), whose route holds `route`, with this status."""
        return sum(
            number
            for (of_provider, of_route, of_status), number in self._routes.items()
            if provider in (None, of_provider) and route in of_route and status in (None, of_status)
        )

    def peak(self, provider: str) -> int:
        """The most requests that came in within any one second, wherever it begins."""
        return self._peaks[provider]

    def reset(self) -> None:
        self._routes.clear()
        self._seconds.clear()
        self._last_second.clear()
        self._peaks.clear()
        self.recent.clear()

    def as_json(self) -> dict[str, Any]:
        providers = sorted({provider for provider, _, _ in self._routes})
        return {
            provider: {
                "requests": self.count(provider),
                "peak_per_second": self.peak(provider),
                "per_second": [{"second": second, "requests": count} for second, count in self._seconds[provider]],
                "routes": [
                    {"route": route, "status": status, "requests": number}
                    for (of_provider, route, status), number in sorted(self._routes.items())
                    if of_provider == provider
                ],
            }
            for provider in providers
        }

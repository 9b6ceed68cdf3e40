"""The subscriptions of the run: what each wants, and how its receiver behaves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tests.chaos.sinks.behaviours import RETRY_AFTER_S
from tests.sinks.worlds import SECRET

PROVIDERS = ("tmdb", "pbs", "tvdb")
KEYS = {"title": 5, "images": 3, "cast": 2}
"""What changes, and how often."""
SCHEDULE_S = (1, 1, 2, 3)
LONGEST_RETRY_AFTER_S = 3
TOKEN = "Bearer chaos-token-that-nobody-may-read"
"""In the requests to the receiver that echoes them."""
ATTEMPTS = len(SCHEDULE_S) + 1
TIMEOUT_S = 3
GONE = "gone"


@dataclass(frozen=True)
class Endpoint:
    """`name` is the subscription's, the path at its receiver, and what the receiver does (see `behaviours`). `rest_s`: so long the sender
    waits for the rest of an answer. `retry_after_s`: what a 429 of its receiver asks for. `rate`: its limit. `host`: its receiver's, by
    the name server of the run; `lost`: of a host whose look-up hangs until the run comes to its end. `token`: sent along."""

    name: str
    providers: Collection[str] = PROVIDERS
    keys: Collection[str] = tuple(KEYS)
    concurrency: int = 8
    rest_s: float = 0.0
    retry_after_s: float = 0.0
    rate: float | None = None
    host: str = "127.0.0.1"
    lost: bool = False
    token: str | None = None

    def wants(self, provider: str, key: str) -> bool:
        return provider in self.providers and key in self.keys

    def subscription(self, url: str) -> dict[str, Any]:
        match = {"provider": list(self.providers), "key": list(self.keys)}
        address = f"{url.replace('127.0.0.1', self.host)}/{self.name}"
        webhook = {"url": address, "secret": SECRET, "concurrency": self.concurrency}
        if self.rate is not None:
            webhook["rate"] = self.rate
        if self.token is not None:
            webhook["headers"] = {"Authorization": self.token}
        return {"name": self.name, "match": match, "webhook": webhook}


WELL = (Endpoint("steady"), Endpoint("picky", ("pbs",), ("images",)))
ILL = (
    Endpoint("moody", ("tmdb", "pbs")),
    Endpoint("hanging", keys=("cast",), concurrency=16),
    Endpoint("moved", keys=("images",)),
    Endpoint("throttled", ("tvdb",), retry_after_s=RETRY_AFTER_S),
    Endpoint("dripping", ("pbs",), ("cast",), concurrency=16, rest_s=1.0),
    Endpoint("away"),
    Endpoint(GONE, ("pbs", "tvdb")),
    Endpoint("malformed", ("tmdb", "tvdb"), ("images", "cast")),
    Endpoint("absurd", ("tmdb",)),
    Endpoint("endless", ("tvdb",), ("cast",), rest_s=1.0),
    Endpoint("echoing", ("pbs",), token=TOKEN),
)
LIMITED = (Endpoint("paced", keys=("cast",), rate=6), Endpoint("single", ("pbs",), concurrency=1))
NAMED = (
    Endpoint("named", ("tmdb",), host="named.example"),
    Endpoint("lost", ("tvdb",), ("cast",), host="lost.example", lost=True),
)
ENDPOINTS = (*WELL, *ILL, *LIMITED, *NAMED)


def config(kafka: dict[str, Any], urls: dict[str, str], nameserver: str) -> dict[str, Any]:
    """`urls`: of each endpoint's receiver, by its name. The breaker forgives soon: what it holds back would outlast the run."""
    return {
        "kafka": kafka,
        "providers": {},
        "network": {"allow": ["127.0.0.0/8"], "nameservers": [nameserver]},
        "delivery": {
            "timeout": f"{TIMEOUT_S}s",
            "connect_timeout": f"{TIMEOUT_S}s",
            "retry_schedule": [f"{step}s" for step in SCHEDULE_S],
            "retry_after_limit": f"{LONGEST_RETRY_AFTER_S}s",
            "queue": 200,
            "breaker": {"window": "10s", "open_for": "1s"},
        },
        "subscriptions": [endpoint.subscription(urls[endpoint.name]) for endpoint in ENDPOINTS],
    }

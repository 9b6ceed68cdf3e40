"""The providers that there are. A new one is a folder beside this file and a line in `REGISTRY`."""

from __future__ import annotations

from typing import Any, Protocol

from producers.interface import Provider
from producers.pbs import PbsProvider
from producers.tmdb import TmdbProvider
from producers.tvdb import TvdbProvider
from runtime.clock import Clock
from runtime.http import ATTEMPTS
from runtime.outbound import Outbound
from runtime.rate import RateLimit


class MakeProvider(Protocol):
    """A provider of its settings (a section of the config), a request budget, a clock (None: the system's), and how often one
    request is tried, and the config's CAs and proxy (None: the environment's)."""

    def __call__(
        self,
        settings: Any,
        rate: RateLimit,
        clock: Clock | None = None,
        /,
        *,
        attempts: int = ATTEMPTS,
        outbound: Outbound | None = None,
    ) -> Provider: ...


REGISTRY: dict[str, MakeProvider] = {
    "tmdb": TmdbProvider,
    "pbs": PbsProvider,
    "tvdb": TvdbProvider,
}

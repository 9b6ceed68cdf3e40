"""The providers that there are. A new one is a folder beside this file and a line in `REGISTRY`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from producers.interface import Provider
from producers.pbs import PbsProvider
from producers.tmdb import TmdbProvider
from producers.tvdb import TvdbProvider
from runtime.rate import RateLimit

REGISTRY: dict[str, Callable[[Any, RateLimit], Provider]] = {
    "tmdb": TmdbProvider,
    "pbs": PbsProvider,
    "tvdb": TvdbProvider,
}

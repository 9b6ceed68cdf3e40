"""The providers that there are. A new one is a folder beside this file and a line in `REGISTRY`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from producers.interface import Provider
from producers.pbs import PbsProvider
from producers.tmdb import TmdbProvider
from producers.tvdb import TvdbProvider
from runtime.clock import Clock
from runtime.http import ATTEMPTS
from runtime.outbound import Outbound
from runtime.rate import RateLimit

log = logging.getLogger(__name__)


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


def usable_providers(
    sections: Mapping[str, Any], rates: Mapping[str, RateLimit], *, attempts: int = ATTEMPTS, outbound: Outbound | None = None
) -> dict[str, Provider]:
    """The providers of these sections of the config, by name. One that can't be made is left out and logged: what the config's check
    can't know of one provider must not stop the others."""
    found = {}
    for name, settings in sections.items():
        try:
            found[name] = REGISTRY[name](settings, rates[name], attempts=attempts, outbound=outbound)
        except Exception:
            log.exception(
                "%s can't be used with its settings, and is left out until the next start: correct `providers.%s`", name, name
            )
    return found

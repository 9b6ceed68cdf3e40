"""The providers that the sandbox plays. A new one is a folder beside these, and one entry here."""

from __future__ import annotations

from changecast.sandbox import pbs, tmdb, tvdb
from changecast.sandbox.provider import ProviderSandbox

PROVIDERS: tuple[ProviderSandbox, ...] = (tmdb.SANDBOX, pbs.SANDBOX, tvdb.SANDBOX)

"""What makes up one provider of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from changecast.sandbox.api import ApiContext
from changecast.sandbox.edit import EditKind, ProviderCatalogue


class ProviderApi(Protocol):
    """A provider's routes over its catalogue."""

    def application(self) -> web.Application: ...


@dataclass(frozen=True)
class ProviderSandbox:
    """One provider: the path of its API, its first catalogue (given the time of the first start), its kinds of edits,
    and its API."""

    name: str
    prefix: str
    first_catalogue: Callable[[float], ProviderCatalogue]
    edit_kinds: tuple[EditKind, ...]
    api: Callable[[ApiContext, Any], ProviderApi]

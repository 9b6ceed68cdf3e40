"""The client of `answers.py`, with the HTTP that the real providers use."""

from __future__ import annotations

from collections.abc import Mapping

from bench.streams.workload import PROVIDER, fetched
from producers.interface import Feed, Fetched
from runtime.http import ProviderHttp
from runtime.rate import RateLimit
from schemas.event import Change, Entity, Image

_RATE = 1_000_000
"""No limit: the rest is what is measured."""


class BenchProvider:
    name = PROVIDER
    names_changes = False
    feeds: tuple[Feed, ...] = ()

    def __init__(self, url: str) -> None:
        self._http = ProviderHttp(url, rate=RateLimit(_RATE), timeout_s=15, max_body_bytes=1 << 20)

    async def fetch(self, entity: Entity) -> Fetched:
        answer = await self._http.get(f"assets/{entity.id}")
        document = answer.json()
        return fetched(entity, document["fields"], answer.date)

    async def probe(self) -> None: ...

    def pictured(self, change: Change, images: Mapping[str, Image]) -> list[Image]:
        path = change.native_id if change.key == "images" else None
        return [images[path]] if path is not None and path in images else []

    async def aclose(self) -> None:
        await self._http.aclose()

"""A sandbox in a process of its own: what it counts in a second does not depend on how busy the tests' process is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.eventually import until
from tests.producers.worlds import changecast


@dataclass(frozen=True)
class Requests:
    """What the sandbox was asked for since the last reset, by provider."""

    by_provider: dict[str, dict[str, Any]]

    def count(self, provider: str, route: str = "") -> int:
        """Requests answered, of routes that hold `route`."""
        routes = self.by_provider.get(provider, {}).get("routes", [])
        return sum(one["requests"] for one in routes if route in one["route"])

    def peak(self, provider: str) -> int:
        """The most requests that came in within any one second, by the sandbox's clock."""
        return int(self.by_provider.get(provider, {}).get("peak_per_second", 0))


class SandboxProcess:
    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def edit(self, **edit: Any) -> None:
        """`provider`, `kind`, `target`, `time` and `count`, as `/control/edit` takes them."""
        await self._control("POST", "edit", edit)

    async def edit_steadily(self, per_minute: float) -> None:
        await self._control("POST", "rate", {"edits_per_minute": per_minute})

    async def set(self, **settings: Any) -> None:
        """Fields of the sandbox's Limits and Quirks."""
        await self._control("POST", "settings", settings)

    async def requests(self) -> Requests:
        return Requests(await self._control("GET", "requests"))

    async def reset_requests(self) -> None:
        await self._control("DELETE", "requests")

    async def _control(self, method: str, path: str, document: Any = None) -> Any:
        async with self._session.request(method, f"{self.url}/control/{path}", json=document) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@asynccontextmanager
async def sandbox_process(folder: Path, **settings: Any) -> AsyncIterator[SandboxProcess]:
    """One without edits of its own. `settings`: of its Limits and Quirks."""
    arguments = ("--port", "0", "--data-dir", str(folder / "sandbox"), "--edits-per-minute", "0")
    async with changecast("sandbox", *arguments) as process, aiohttp.ClientSession() as session:
        await until(process.said("sandbox: http"), what="the sandbox's address")
        address = re.search(r"http://\S+", process.lines[0])
        assert address is not None
        sandbox = SandboxProcess(address[0], session)
        if settings:
            await sandbox.set(**settings)
        yield sandbox

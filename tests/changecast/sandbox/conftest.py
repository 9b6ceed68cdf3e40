"""A sandbox in this process, a clock that the test moves, and a client that keeps its credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from changecast.sandbox import SANDBOX_CREDENTIALS, Sandbox

NOON = 1_749_556_800.0
"""2025-06-10 12:00:00 UTC."""


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Answer:
    status: int
    body: Any
    headers: Any


class Client:
    """Asks one sandbox, with the credentials that each provider wants unless others are given."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session
        self.token = ""

    async def ask(self, path: str, method: str = "GET", **how: Any) -> Answer:
        how.setdefault("allow_redirects", False)
        async with self.session.request(method, self.sandbox.url + path, **how) as response:
            is_json = response.content_type == "application/json" and method != "HEAD"
            body = await response.json() if is_json else await response.text(errors="replace")
            return Answer(response.status, body, response.headers)

    async def tmdb(self, path: str, **query: str) -> Answer:
        headers = {"Authorization": f"Bearer {SANDBOX_CREDENTIALS.tmdb_token}"}
        return await self.ask(f"/tmdb/3{path}", headers=headers, params=query)

    async def pbs(self, path: str, query: list[tuple[str, str]] | None = None) -> Answer:
        headers = {"Authorization": aiohttp.encode_basic_auth(SANDBOX_CREDENTIALS.pbs_key, SANDBOX_CREDENTIALS.pbs_secret)}
        return await self.ask(f"/pbs/api/v1{path}", headers=headers, params=query or [])

    async def login(self) -> Answer:
        answer = await self.ask("/tvdb/login", "POST", json={"apikey": SANDBOX_CREDENTIALS.tvdb_apikey})
        self.token = answer.body["token"]
        return answer

    async def tvdb(self, path: str, method: str = "GET", language: str = "en", **query: str) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Language": language}
        return await self.ask(f"/tvdb{path}", method, headers=headers, params=query)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(clock=clock, monotonic=clock) as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(sandbox, session)

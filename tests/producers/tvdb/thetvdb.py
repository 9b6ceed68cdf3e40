"""A TheTVDB whose answers a test writes, with the login and the tokens that the real one asks for."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
from aiohttp import web

from producers.tvdb import TvdbProvider
from producers.tvdb.client import TvdbClient, accept
from producers.tvdb.login import Login, Session
from runtime.clock import ManualClock
from runtime.http import ATTEMPTS, ProviderHttp
from runtime.rate import RateLimit
from schemas.config import Tvdb
from tests.producers.answering import Answering, answering, json_answer

NOON = datetime(2031, 3, 5, 12, tzinfo=UTC)
DAY_S = 24 * 3600.0


def jwt(number: int, ends: float | None) -> str:
    """A token in TheTVDB's form; without `exp` where `ends` is None."""
    claims = {"id": "x", "jti": number} | ({} if ends is None else {"exp": ends})
    parts = [base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in ({"alg": "none"}, claims)]
    return ".".join([*parts, "signature"])


@dataclass
class TheTvdb:
    """`answers`: by path and query, or by path, also with a language behind; a status stands for an error, a function is
    given the request. `valid`: the tokens that are accepted."""

    clock: ManualClock
    server: Answering = field(default_factory=Answering)
    answers: dict[str, Any] = field(default_factory=dict)
    valid: set[str] = field(default_factory=set)
    logins: list[dict[str, str]] = field(default_factory=list)
    refreshes: int = 0
    life: float | None = DAY_S
    login_status: int = 200
    refresh_status: int = 200
    refuse_all: bool = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.005)
        if request.path == "/login":
            self.logins.append(orjson.loads(await request.read()))
            return self._token(self.login_status)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.valid or self.refuse_all:
            return self._json({"Error": "Not Authorized"}, 401)
        if request.path == "/refresh_token":
            self.refreshes += 1
            return self._token(self.refresh_status)
        language = request.headers.get("Accept-Language", "")
        for key in (f"{request.path_qs} {language}", request.path_qs, f"{request.path} {language}", request.path):
            if key in self.answers:
                found = self.answers[key]
                if callable(found):
                    found = found(request)
                if isinstance(found, web.StreamResponse):
                    return found
                return self._json({"Error": "No."}, found) if isinstance(found, int) else self._json(found)
        return self._json({"Error": "Resource not found"}, 404)

    def _token(self, status: int) -> web.Response:
        if status != 200:
            return self._json({"Error": "Not Authorized"}, status)
        ends = None if self.life is None else self.clock.now().timestamp() + self.life
        token = jwt(len(self.logins) * 100 + self.refreshes, ends)
        self.valid.add(token)
        return self._json({"token": token})

    def _json(self, document: object, status: int = 200) -> web.Response:
        return json_answer(document, status, Date=format_datetime(self.clock.now(), usegmt=True))

    def asked(self, start: str = "GET /") -> list[str]:
        """The requests for data, without those for tokens."""
        return [line for line in self.server.requests if line.startswith(start) and "refresh_token" not in line]


@asynccontextmanager
async def thetvdb(now: datetime = NOON) -> AsyncIterator[TheTvdb]:
    served = TheTvdb(ManualClock(now))
    async with answering(served.answer) as server:
        served.server = server
        yield served


@asynccontextmanager
async def provider(served: TheTvdb, *, attempts: int = ATTEMPTS, **settings: Any) -> AsyncIterator[TvdbProvider]:
    config = Tvdb(apikey="api-key-1", base_url=served.server.url, **settings)
    made = TvdbProvider(config, RateLimit(1000, served.clock), served.clock, attempts=attempts)
    try:
        yield made
    finally:
        await made.aclose()


@asynccontextmanager
async def client(base_url: str, clock: ManualClock | None = None, login: Login | None = None) -> AsyncIterator[TvdbClient]:
    clock = clock or ManualClock(NOON)
    rate = RateLimit(1000, clock)
    http = ProviderHttp(
        base_url, rate=rate, timeout_s=10, max_body_bytes=10_000_000, headers={"Accept": accept("3.0.0")}, clock=clock
    )
    made = TvdbClient(http, Session(http, login or Login("api-key-1"), clock))
    try:
        yield made
    finally:
        await made.aclose()


def ago(**delta: float) -> datetime:
    return NOON - timedelta(**delta)

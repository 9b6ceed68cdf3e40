"""Webhooks with OAuth2 client credentials: a real token endpoint and a real receiver on loopback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import ManualClock
from schemas import redaction
from schemas.config import Delivery
from schemas.config.connections import OAuth2
from schemas.delivery import ErrorClass
from sinks.client import Client, Reply
from sinks.oauth2 import Authorized, NoToken, Tokens, token_of, token_request
from tests.sinks.worlds import Call, Receiver, World, change_event, config_of, receiving, until, webhook

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
SECRET = "hunter2/hunter2:x"


@dataclass
class Issuer:
    """A token endpoint: `token-1`, `token-2` … unless `says` has another answer."""

    url: str = ""
    requests: list[Call] = field(default_factory=list)
    lifetime: object = 3600
    says: Callable[[], web.Response] | None = None
    held: asyncio.Event | None = None

    async def answer(self, call: Call) -> web.StreamResponse:
        self.requests.append(call)
        number = len(self.requests)
        if self.held is not None:
            await self.held.wait()
        if self.says is not None:
            return self.says()
        said = {"access_token": f"token-{number}", "token_type": "bearer", "expires_in": self.lifetime}
        return web.Response(body=orjson.dumps(said), content_type="application/json")


@dataclass
class Scene:
    issuer: Issuer
    receiver: Receiver
    client: Client
    clock: ManualClock

    def endpoint(self, **fields: Any) -> Authorized:
        settings = {"token_url": f"{self.issuer.url}/token", "client_id": "us", "client_secret": SECRET, **fields}
        tokens = Tokens(OAuth2.model_validate(settings), self.client, self.clock)
        return Authorized(self.client, None, None, tokens, 2.0)

    async def post(self, endpoint: Authorized, path: str = "/hook") -> Reply:
        return await endpoint.post(f"{self.receiver.url}{path}", b"{}", {"x-own": "1"})

    @property
    def bearers(self) -> list[str | None]:
        return [call.headers.get("authorization") for call in self.receiver.calls]


@contextlib.asynccontextmanager
async def scene(answer: Callable[[Call], Any] | None = None, **delivery: Any) -> AsyncIterator[Scene]:
    async def said(call: Call) -> Any:
        return 200 if answer is None else answer(call)

    issuer = Issuer()
    async with receiving(issuer.answer) as tokens, receiving(said) as receiver:
        issuer.url = tokens.url
        client = Client(Delivery.model_validate({"timeout": "60s", **delivery}), LOOPBACK)
        try:
            yield Scene(issuer, receiver, client, ManualClock(datetime(2025, 1, 21, tzinfo=UTC)))
        finally:
            await client.aclose()


async def test_one_token_is_obtained_and_used_until_shortly_before_its_end() -> None:
    async with scene() as here:
        endpoint = here.endpoint()
        for _ in range(3):
            assert (await here.post(endpoint)).status == 200
        await here.clock.sleep(3600 - 60 - 1)
        await here.post(endpoint)
        assert here.bearers == ["Bearer token-1"] * 4
        await here.clock.sleep(2)
        await here.post(endpoint)
        assert here.bearers[-1] == "Bearer token-2"
        assert here.receiver.calls[0].headers["x-own"] == "1"
    assert len(here.issuer.requests) == 2


LIFETIMES = [(100, 90), ("100", 90), (1e9, 3540), (10**400, 3540), ("soon", 3540), (None, 3540), (-5, 3540)]


@pytest.mark.parametrize(("lifetime", "kept"), LIFETIMES, ids=["seconds", "text", "years", "absurd", "word", "none", "negative"])
async def test_a_lifetime_of_any_form_is_bounded(lifetime: object, kept: float) -> None:
    async with scene() as here:
        said = "" if lifetime is None else f', "expires_in": {json.dumps(lifetime)}'
        document = f'{{"access_token": "t"{said}}}'
        here.issuer.says = lambda: web.Response(text=document)
        endpoint = here.endpoint()
        await here.post(endpoint)
        await here.clock.sleep(kept - 1)
        await here.post(endpoint)
        assert len(here.issuer.requests) == 1
        await here.clock.sleep(2)
        await here.post(endpoint)
        assert len(here.issuer.requests) == 2


async def test_the_request_for_a_token_says_what_the_config_says() -> None:
    async with scene() as here:
        await here.post(here.endpoint(scope=["a", "b"], parameters={"audience": "https://x/y"}))
        await here.post(here.endpoint(authentication="body"))
    basic, body = here.issuer.requests
    assert parse_qs(basic.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["https://x/y"]}
    # form-encoded before it is joined: a colon in the secret is none between the two
    assert base64.b64decode(basic.headers["authorization"].removeprefix("Basic ")) == b"us:hunter2%2Fhunter2%3Ax"
    assert basic.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(body.body.decode()) == {"grant_type": ["client_credentials"], "client_id": ["us"], "client_secret": [SECRET]}
    assert "authorization" not in body.headers
    assert "x-own" not in basic.headers


async def test_a_401_is_answered_by_one_new_token_within_the_attempt() -> None:
    async with scene(lambda call: 200 if call.headers["authorization"] == "Bearer token-2" else 401) as here:
        endpoint = here.endpoint()
        reply = await here.post(endpoint)
        assert (reply.status, reply.note) == (200, "status 401: sent again with a new access token")
        assert here.bearers == ["Bearer token-1", "Bearer token-2"]
        assert (await here.post(endpoint)).note is None
    assert here.bearers[2:] == ["Bearer token-2"]


async def test_a_receiver_that_takes_no_token_gets_two_requests_an_attempt() -> None:
    async with scene(lambda _: 401) as here:
        endpoint = here.endpoint()
        assert (await here.post(endpoint)).status == 401
        assert here.bearers == ["Bearer token-1", "Bearer token-2"]
        assert (await here.post(endpoint)).status == 401
    assert here.bearers[2:] == ["Bearer token-2", "Bearer token-3"]


async def test_the_second_request_is_one_more_of_the_rate() -> None:
    from runtime.rate import RateLimit

    async with scene(lambda _: 401) as here:
        rate = RateLimit(1000, here.clock)
        settings = OAuth2.model_validate({"token_url": here.issuer.url, "client_id": "us", "client_secret": "secret"})
        endpoint = Authorized(here.client, _Counting(rate), None, Tokens(settings, here.client), 2.0)
        await here.post(endpoint)
        assert endpoint._rate.entered == 1  # type: ignore[union-attr]  # the first one's leave is the caller's


class _Counting:
    def __init__(self, rate: Any) -> None:
        self.entered = 0
        self._rate = rate

    @contextlib.asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        self.entered += 1
        async with self._rate.request():
            yield


async def test_attempts_side_by_side_share_one_request_for_a_token_and_its_failure() -> None:
    async with scene() as here:
        here.issuer.held = asyncio.Event()
        endpoint = here.endpoint()
        attempts = [asyncio.create_task(here.post(endpoint)) for _ in range(8)]
        while not here.issuer.requests:
            await asyncio.sleep(0)
        attempts[0].cancel()  # one that is given up takes nothing from the others
        here.issuer.held.set()
        replies = await asyncio.gather(*attempts[1:])
        assert {reply.status for reply in replies} == {200}
        assert len(here.issuer.requests) == 1

        here.issuer.held = asyncio.Event()
        here.issuer.says = lambda: web.Response(status=503)
        other = here.endpoint()
        attempts = [asyncio.create_task(here.post(other)) for _ in range(8)]
        while len(here.issuer.requests) < 2:
            await asyncio.sleep(0)
        here.issuer.held.set()
        replies = await asyncio.gather(*attempts)
        assert {reply.error for reply in replies} == {"no access token: token endpoint: status 503"}
        assert len(here.issuer.requests) == 2
        here.issuer.says = None
        assert (await here.post(other)).status == 200


@pytest.mark.parametrize(
    ("status", "body", "error", "kind"),
    [
        (
            401,
            b'{"error": "invalid_client", "error_description": "hunter2"}',
            "token endpoint: status 401, invalid_client",
            "status",
        ),
        (400, b'{"error": "<hunter2>"}', "token endpoint: status 400", "status"),
        (410, b"", "token endpoint: status 410", "status"),
        (302, b"", "token endpoint: status 302", "status"),
        (503, b"busy", "token endpoint: status 503", "status"),
        (200, b"", "there is none in the answer of the token endpoint", "protocol"),
        (200, b"access_token=x", "there is none in the answer of the token endpoint", "protocol"),
        (200, b"[]", "there is none in the answer of the token endpoint", "protocol"),
        (200, b'{"access_token": 5}', "there is none in the answer of the token endpoint", "protocol"),
        (200, b'{"error": "invalid_scope"}', "there is none in the answer of the token endpoint (invalid_scope)", "protocol"),
        (200, b'{"access_token": "a\\r\\nX: y"}', "that of the token endpoint can't stand in a header", "protocol"),
        (200, b'{"access_token": ""}', "that of the token endpoint can't stand in a header", "protocol"),
        (200, b'{"access_token": "t", "token_type": "DPoP"}', "that of the token endpoint is no Bearer token", "protocol"),
    ],
)
async def test_a_token_endpoint_that_gives_none_is_a_failed_attempt_in_words(
    status: int, body: bytes, error: str, kind: str
) -> None:
    async with scene() as here:
        here.issuer.says = lambda: web.Response(status=status, body=body, headers={"Location": "/elsewhere"})
        reply = await here.post(here.endpoint())
    assert (reply.status, reply.error, reply.error_class) == (None, f"no access token: {error}", ErrorClass(kind))
    assert here.receiver.calls == []
    assert len(here.issuer.requests) == 1


async def test_the_token_endpoint_is_past_the_guard_and_within_the_attempts_time() -> None:
    async with scene() as here:
        guarded = await here.post(here.endpoint(token_url="http://10.1.2.3/token"))
        assert guarded.error_class is ErrorClass.ADDRESS_REFUSED
        assert "add it to network.allow" in str(guarded.error)
        away = await here.post(here.endpoint(token_url="http://127.0.0.1:9/token"))
        assert away.error == "no access token: token endpoint: no connection to 127.0.0.1:9: connection refused"
        assert here.receiver.calls == []
    async with scene(timeout="200ms") as here:
        here.issuer.held = asyncio.Event()
        slow = await here.post(here.endpoint())
        assert (slow.error_class, slow.status) == (ErrorClass.TIMEOUT, None)
        here.issuer.held.set()
    assert here.receiver.calls == []


async def test_an_attempt_that_has_no_time_left_after_the_token_ends() -> None:
    """A time-out of 0 is none to aiohttp: the request would wait for a receiver that says nothing."""
    released = asyncio.Event()

    async def silent(call: Call) -> int:
        await released.wait()
        return 200

    async with scene() as here, receiving(silent) as receiver, asyncio.timeout(20):
        reply = await here.client.post(receiver.url, b"{}", {}, within_s=0.0)
        released.set()
    assert (reply.status, reply.error_class) == (None, ErrorClass.TIMEOUT)


async def test_a_token_is_a_secret_as_soon_as_it_is_there() -> None:
    async with scene() as here:
        here.issuer.says = lambda: web.Response(body=b'{"access_token": "2YotnFZFEjr1zCsicMWpAA"}')
        await here.post(here.endpoint())
    assert redaction.redact("you sent Bearer 2YotnFZFEjr1zCsicMWpAA") == "you sent Bearer ***"


_KEYS = st.sampled_from(["access_token", "token_type", "expires_in", "error", "scope"])
_VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)


@given(st.integers(100, 599), st.binary() | st.dictionaries(_KEYS, _VALUES).map(lambda document: json.dumps(document).encode()))
def test_no_answer_of_a_token_endpoint_raises_anything_else(status: int, body: bytes) -> None:
    with contextlib.suppress(NoToken):
        token, lifetime = token_of(Reply(1.0, status, {}, body))
        assert token.isascii()
        assert lifetime is None or lifetime > 0


@given(st.text(min_size=1), st.text(min_size=1), st.lists(st.text(min_size=1)))
def test_any_id_and_secret_can_be_sent(client_id: str, secret: str, scope: list[str]) -> None:
    settings = OAuth2.model_construct(
        token_url="http://x",
        client_id=client_id,
        client_secret=_Secret(secret),
        scope=scope,
        authentication="basic",
        parameters={},
    )
    _, headers = token_request(settings)
    assert all(value.isascii() and value.isprintable() for value in headers.values())


class _Secret:
    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        return self._value


async def test_a_token_endpoint_that_is_away_holds_up_its_own_endpoint_alone(world: World) -> None:
    away = True

    async def both(call: Call) -> web.Response:
        if call.path != "/token":
            return web.Response()
        return web.Response(status=503) if away else web.Response(text='{"access_token": "t", "expires_in": 3600}')

    async with receiving(both) as receiver:
        oauth2 = {"token_url": f"{receiver.url}/token", "client_id": "us", "client_secret": "hunter2hunter2"}
        config = config_of(
            webhook("hook", f"{receiver.url}/hook", oauth2=oauth2),
            webhook("other", f"{receiver.url}/other"),
            retry_schedule=["1s"] * 20,
            breaker={"requests": 1000},
        )
        async with world.working(config):
            await world.publish(*(change_event(number, entity_id=str(number)) for number in range(3)))
            await until(lambda: len(receiver.to("/other")) == 3 and receiver.to("/token"))
            assert receiver.to("/hook") == []
            away = False
            await until(lambda: len(receiver.to("/hook")) == 3)
        attempts = [attempt for attempt in await world.attempts() if attempt.subscription == "hook"]
    assert {call.headers["authorization"] for call in receiver.to("/hook")} == {"Bearer t"}
    assert {attempt.error for attempt in attempts if attempt.outcome == "retry"} == {
        "no access token: token endpoint: status 503"
    }
    assert {attempt.status_code for attempt in attempts if attempt.outcome == "retry"} == {None}

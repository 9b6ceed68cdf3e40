"""All trouble that is known, through the workers as processes: no topic, log, metric or command output then holds a secret."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote, quote_plus

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from runtime.topics import read_to_end
from schemas.config import load_config
from schemas.feed_status import FeedStatus, is_status_key
from tests.certificates import self_signed, serving
from tests.eventually import until
from tests.hostile import (
    bad_header,
    cut_within_the_secrets,
    echo_with,
    half_a_body,
    hostile_provider,
    lower_hex,
    no_http,
    nothing,
    talking,
)
from tests.producers.worlds import changecast
from tests.scraping import address, free_port, scrape
from tests.sinks.worlds import World, change_event
from tests.streams.memory import observed

SIGNING = base64.b64encode(b"signing-key-0123456789-abcdefghi").decode()
SECRETS = {
    "tmdb": "tmdbtok-Aq1+/x==Zw",
    "pbs key": "pbskey-Bq2+/y==",
    "pbs secret": "Cq3xW",
    "tvdb": "tvdbapi-Dq4+/z==",
    "tvdb userkey": "tvdbusr-Eq5",
    "token of a login": "eyJhbGciOiJIUzI1NiJ9.Fq6NlY3JldA.c2lnbmF0dXJl",
    "path": "/hooks/Gq7path-s3cr3t?sig=Hq8%2Fx%3D",
    "slack path": "/services/T0Iq9/B0/Jq0abcdefghijklmnop1",
    "slack token": "xoxb-Kq1-token-value",
    "authorization": 'Lq2-bearer-"quoted"\\<&>\'',
    "password": "Mq3-userinfo-password",
    "signing": SIGNING,
    "kafka": "Nq4-kafka-password",
    "oauth2": "Oq5-client/secret+1",
    "access token": "Pq6-access-token",
}


def forms(secret: str) -> Iterator[str]:
    """How a secret could stand somewhere, written down apart from the redactor's own ideas of it. A beginning counts as one."""
    beginnings = [secret, secret[: max(8, len(secret) // 2)]] if len(secret) >= 8 else [secret]
    for text in beginnings:
        yield text
        quoted = quote(text, safe="")
        yield from (quoted, lower_hex(quoted), quote(text), quote(quoted), quote_plus(text), html.escape(text))
        yield from (json.dumps(text)[1:-1], json.dumps(json.dumps(text)[1:-1])[1:-1], repr(text)[1:-1])
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret.encode()).decode().rstrip("=")
        core = encoded[(0, 2, 3)[before] : (before + len(secret.encode())) * 8 // 6]
        if len(core) >= 8:
            yield from (core, quote(core, safe=""), core.replace("+", "-").replace("/", "_"))


def leaks(name: str, text: str) -> list[str]:
    return [f"{name}: {what} as {form!r}: …{text[max(0, at - 80) : at + 80]!r}…" for what, secret in SECRETS.items()
            for form in forms(secret) if (at := text.find(form)) >= 0]  # fmt: skip


def subscription(name: str, url: str, **webhook: object) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {SECRETS['authorization']}"}
    return {"name": name, "webhook": {"url": url, "secret": f"whsec_{SIGNING}", "headers": headers, **webhook}}


@pytest.mark.timeout(180)
async def test_no_secret_leaves_by_any_way(bootstrap_servers, topic_prefix, tmp_path: Path) -> None:
    world = World(bootstrap_servers, topic_prefix)
    path = tmp_path / "changecast.yaml"
    async with AsyncExitStack() as stack:
        document = await hostile_config(stack, tmp_path)
        document["kafka"] = {
            "bootstrap_servers": bootstrap_servers, "topic_prefix": topic_prefix, "partitions": 2,
            "sasl_plain_username": "operator", "sasl_plain_password": SECRETS["kafka"],
        }  # fmt: skip
        path.write_bytes(orjson.dumps(document))
        names = [one["name"] for one in document["subscriptions"]]
        await world.prepare()
        workers = {
            part: await stack.enter_async_context(changecast("worker", part, "-c", str(path), "--metrics-port", "0", "--verbose"))
            for part in ("sinks", "streams", "producers")
        }

        async def known() -> bool:
            for worker in workers.values():
                assert worker.process.returncode is None, "\n".join(worker.lines)
            records = await world.records(world.cluster.topics.endpoints.name)
            return set(names) <= {record.key.decode() for record in records} and all(
                address(worker.lines) for worker in workers.values()
            )

        await until(known, 90)
        await publish_unreadable(world)
        await world.publish(*(change_event(number, entity_id=str(number)) for number in range(3)))
        await until(lambda: all_failed(world, names), 90)
        await until(lambda: all_feeds_failed(world), 90)

        found: list[str] = []
        for part, worker in workers.items():
            found += leaks(f"the log of {part}", "\n".join(worker.lines))
            found += leaks(f"the metrics of {part}", (await scrape(address(worker.lines))).text)
        for topic in await all_topics(world):
            async for record in read_to_end(world.cluster, topic):
                # what is dead stays as it came: that is what it is kept for
                own = b"" if topic == world.cluster.topics.dead.name else record.value or b""
                texts = [record.key or b"", own, *(value for _, value in record.headers)]
                found += leaks(topic, "\n".join(text.decode("utf-8", "replace") for text in texts))
        for words in await commands(world, path):
            found += leaks(" ".join(words), await output_of(*words, path=path))
    assert not found, "\n".join(found[:40])


async def publish_unreadable(world: World) -> None:
    """What ends in the dead topic, and an event of which nothing can be fetched."""
    topics = world.cluster.topics
    event = observed("550", 1)
    async with world.cluster.producer() as producer:
        await producer.send_and_wait(topics.changes("tmdb").name, b"{}", key=b"tmdb:movie:1")
        await producer.send_and_wait(topics.raw("tmdb").name, b"{", key=b"tmdb:movie:1")
        await producer.send_and_wait(topics.raw("tmdb").name, event.to_json(), key=event.subject.encode())


async def hostile_config(stack: AsyncExitStack, folder: Path) -> dict[str, object]:
    async def provider() -> str:
        server = TestServer(hostile_provider(SECRETS["token of a login"]), host="127.0.0.1")
        await server.start_server()
        stack.push_async_callback(server.close)
        return f"http://127.0.0.1:{server.port}"

    async def receiver(status: int) -> str:
        app = web.Application()

        async def answer(request: web.Request) -> web.Response:
            return await echo_with(request, status)

        app.router.add_route("*", "/{rest:.*}", answer)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        stack.push_async_callback(server.close)
        return f"http://127.0.0.1:{server.port}"

    async def token_endpoint(status: int) -> str:
        app = web.Application()

        async def answer(request: web.Request) -> web.Response:
            if status == 200:
                return web.json_response({"access_token": SECRETS["access token"], "token_type": "Bearer", "expires_in": 60})
            return await echo_with(request, status)

        app.router.add_route("*", "/{rest:.*}", answer)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        stack.push_async_callback(server.close)
        return f"http://127.0.0.1:{server.port}"

    async def slack_api() -> str:
        """Its word for what is wrong is the token, or begins with it."""
        app = web.Application()

        async def answer(request: web.Request) -> web.Response:
            return web.json_response({"ok": False, "error": f"{request.headers['Authorization']} {'x' * 5000}"})

        app.router.add_route("*", "/{rest:.*}", answer)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        stack.push_async_callback(server.close)
        return f"http://127.0.0.1:{server.port}"

    async def talks(say, context: ssl.SSLContext | None = None) -> str:  # type: ignore[no-untyped-def]
        return await stack.enter_async_context(talking(say, context))

    secret_path = SECRETS["path"]
    tls = serving(self_signed(folder, "127.0.0.1"))
    slack = {"webhook_url": f"http://{await talks(nothing)}{SECRETS['slack path']}", "rate": 100}
    asked = {"interval": "1s", "since": "1h"}
    return {
        "data_dir": "data",
        "providers": {
            "tmdb": {"token": SECRETS["tmdb"], "base_url": await provider(), **asked},
            "pbs": {"key": SECRETS["pbs key"], "secret": SECRETS["pbs secret"], "base_url": await provider(), **asked},
            "tvdb": {"apikey": SECRETS["tvdb"], "userkey": SECRETS["tvdb userkey"], "base_url": await provider(), **asked},
        },
        "network": {"allow": ["127.0.0.0/8"]},
        "delivery": {"retry_schedule": ["1s"], "timeout": "5s"},
        "subscriptions": [
            *[subscription(f"status-{status}", f"{await receiver(status)}{secret_path}") for status in (302, 400, 410, 500)],
            subscription("says-nothing", f"http://{await talks(nothing)}{secret_path}"),
            subscription("no-http", f"http://{await talks(no_http)}{secret_path}"),
            subscription("bad-header", f"http://{await talks(bad_header)}{secret_path}"),
            subscription("half-a-body", f"http://{await talks(half_a_body)}{secret_path}"),
            subscription("cut", f"http://{await talks(cut_within_the_secrets)}{secret_path}"),
            subscription("bad-tls", f"https://{await talks(nothing, tls)}{secret_path}"),
            subscription("no-tls", f"https://{await talks(no_http)}{secret_path}"),
            subscription("nobody", f"http://127.0.0.1:{free_port()}{secret_path}"),
            subscription("no-host", f"http://no-such-host.invalid{secret_path}"),
            subscription("private", f"http://10.255.255.1{secret_path}"),
            {"name": "slack", "slack": slack},
            *[{"name": f"oauth-{authentication}", "webhook": {
                "url": f"{await receiver(500)}{secret_path}", "secret": f"whsec_{SIGNING}",
                "oauth2": {"token_url": f"{await token_endpoint(answer)}/token", "client_id": "me",
                           "client_secret": SECRETS["oauth2"], "authentication": authentication},
            }} for authentication, answer in (("basic", 500), ("body", 401))],
            {"name": "oauth-token", "webhook": {
                "url": f"{await receiver(401)}{secret_path}", "secret": f"whsec_{SIGNING}",
                "oauth2": {"token_url": f"{await token_endpoint(200)}/token", "client_id": "me", "client_secret": SECRETS["oauth2"]},
            }},
            {"name": "bot", "slack": {"token": SECRETS["slack token"], "channel": "c", "api_url": await receiver(500), "rate": 100}},
            {"name": "bot-word", "slack": {"token": SECRETS["slack token"], "channel": "c", "api_url": await slack_api(), "rate": 100}},
            {"name": "userinfo", "webhook": {
                "url": f"{(await receiver(500)).replace('//', '//me:' + SECRETS['password'] + '@')}/x", "secret": f"whsec_{SIGNING}"
            }},
            {"name": "ops", "alerts": True, "slack": {"webhook_url": f"{await receiver(500)}{SECRETS['slack path']}", "rate": 100}},
        ],
    }  # fmt: skip


async def all_failed(world: World, names: list[str]) -> bool:
    """Every endpoint has given up or disabled something, and an alert tells of it."""
    ended = {one.subscription for one in await world.attempts() if one.outcome in ("dead", "disabled")}
    alerts = await world.records(world.cluster.topics.alerts.name)
    return {*names} - {"ops"} <= ended and len(alerts) >= len(names) - 1


async def all_feeds_failed(world: World) -> bool:
    failed = set()
    for record in await world.records(world.cluster.topics.cursors.name):
        if record.value is not None and is_status_key(record.key):
            status = FeedStatus.model_validate_json(record.value)
            if status.error is not None:
                failed.add(status.provider)
    return failed == {"tmdb", "pbs", "tvdb"}


async def all_topics(world: World) -> list[str]:
    async with world.cluster.admin() as admin:
        return [topic for topic in await admin.list_topics() if topic.startswith(world.cluster.topics.prefix)]


async def commands(world: World, path: Path) -> list[list[str]]:
    load_config(path)
    some = (await world.attempts())[0]
    dead = (await world.records(world.cluster.topics.dead.name))[0]
    assert dead.value is not None
    return [
        ["config", "show"],
        ["config", "check"],
        ["deliveries", "list", "--limit", "1000"],
        ["deliveries", "list", "--limit", "1000", "--json"],
        ["deliveries", "show", some.webhook_id],
        ["endpoints", "list"],
        ["endpoints", "list", "--json"],
        ["dead", "list"],
        ["dead", "list", "--json"],
        ["provider", "list"],
        ["provider", "list", "--json"],
        ["why", "tmdb:episode:1"],
        ["fetch", "tmdb:movie:550"],
        *(
            ["endpoints", "test", name, *more]
            for name in ("status-500", "bot", "bot-word", "userinfo", "oauth-token", "slack")
            for more in ([], ["--json"])
        ),
    ]


async def output_of(*words: str, path: Path) -> str:
    group = 2 if words[0] not in ("why", "fetch") else 1
    async with changecast(*words[:group], "-c", str(path), *words[group:]) as command:
        await asyncio.wait_for(command.process.wait(), 60)
    return "\n".join(command.lines)
